import { fileURLToPath } from 'node:url'
import type { ConnectorPeer } from '../peer.js'
import { pythonEnvironment, pythonOf } from './python.js'
import { startConnectorProgram } from './running.js'

const environment = pythonEnvironment('c4p')
const PROGRAM = fileURLToPath(new URL('../programs/python/c4p/connector.py', import.meta.url))

/** The older Python connector. */
export const c4p: ConnectorPeer = {
  name: 'C4P',
  title: 'crank4py-connector 0.0.5 (Python)',
  versions: ['1.0'],
  prepare: () => environment.prepare(),
  start: (options) => startConnectorProgram('C4P', [pythonOf(environment.folder), PROGRAM], options),
}
