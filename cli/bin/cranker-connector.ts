#!/usr/bin/env node
import { tuneGarbageCollection } from '../runtime-flags.js'

tuneGarbageCollection()
const { connectorCommand } = await import('../connector-command.js')
const { main } = await import('../run.js')

await main('cranker-connector', (argv, env) => connectorCommand('cranker-connector', argv, env))
