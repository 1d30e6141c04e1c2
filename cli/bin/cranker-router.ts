#!/usr/bin/env node
import { restartWithRuntimeFlags } from '../runtime-flags.js'

restartWithRuntimeFlags()
const { routerCommand } = await import('../router-command.js')
const { main } = await import('../run.js')

await main('cranker-router', (argv, env) => routerCommand('cranker-router', argv, env))
