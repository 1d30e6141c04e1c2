#!/usr/bin/env node
import { connectorCommand } from '../connector-command.js'
import { main } from '../run.js'

await main('cranker-connector', (argv, env) => connectorCommand('cranker-connector', argv, env))
