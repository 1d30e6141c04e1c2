#!/usr/bin/env node
import { tuneGarbageCollection } from '../runtime-flags.js'

tuneGarbageCollection()
const { main } = await import('../run.js')
const { umbrella, umbrellaName } = await import('../umbrella.js')

await main(umbrellaName(process.argv[2]), umbrella)
