import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { versions } from '../../support/pair.js'
import type { ConnectorPeer } from '../peer.js'
import { startExample } from './example.js'
import type { CommandLine } from './program.js'
import { pythonEnvironment, pythonOf } from './python.js'

const environment = pythonEnvironment('example', join('..', '..', '..', 'examples', 'connector-python'))
const PROGRAM = fileURLToPath(new URL('../../../examples/connector-python/connector.py', import.meta.url))

/** The command of `examples/connector-python`, after `prepare`. */
export const examplePythonCommand = (): CommandLine => [pythonOf(environment.folder), PROGRAM]

/** `examples/connector-python`: written from docs/protocol.md alone. */
export const examplePython: ConnectorPeer = {
  name: 'XP',
  title: 'examples/connector-python (Python)',
  versions,
  prepare: () => environment.prepare(),
  start: (options) => startExample('XP', examplePythonCommand(), options),
}
