#!/usr/bin/env node
import { routerCommand } from '../router-command.js'
import { main } from '../run.js'

await main('cranker-router', (argv, env) => routerCommand('cranker-router', argv, env))
