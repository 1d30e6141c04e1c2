#!/usr/bin/env node
import { tuneGarbageCollection } from '../runtime-flags.js'

tuneGarbageCollection()
const { routerCommand } = await import('../router-command.js')
const { main } = await import('../run.js')

await main('cranker-router', (argv, env) => routerCommand('cranker-router', argv, env))
