#!/usr/bin/env node
import { main } from '../run.js'
import { umbrella, umbrellaName } from '../umbrella.js'

await main(umbrellaName(process.argv[2]), umbrella)
