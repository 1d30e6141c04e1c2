#!/usr/bin/env node
import { restartWithRuntimeFlags } from '../runtime-flags.js'

restartWithRuntimeFlags()
const { main } = await import('../run.js')
const { umbrella, umbrellaName } = await import('../umbrella.js')

await main(umbrellaName(process.argv[2]), umbrella)
