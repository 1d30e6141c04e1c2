import { fileURLToPath } from 'node:url'
import type { ConnectorPeer } from '../peer.js'
import { pythonEnvironment, pythonOf } from './python.js'
import { startConnectorProgram } from './running.js'

const environment = pythonEnvironment('ac')
const PROGRAM = fileURLToPath(new URL('../programs/python/ac/connector.py', import.meta.url))

/** The Python connector for ASGI applications, with an application that replays requests to a URL. */
export const ac: ConnectorPeer = {
  name: 'AC',
  title: 'asgi-cc 0.1.5 (Python)',
  versions: ['3.0'],
  prepare: () => environment.prepare(),
  start: (options) => startConnectorProgram('AC', [pythonOf(environment.folder), PROGRAM], options),
}
