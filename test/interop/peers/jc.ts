import { versions } from '../../support/pair.js'
import type { ConnectorPeer } from '../peer.js'
import { java, javaCommand } from './java.js'
import { startConnectorProgram } from './running.js'

/** The Java connector. It has a fixed ping interval. */
export const jc: ConnectorPeer = {
  name: 'JC',
  title: 'cranker-connector 1.3.4 (Java)',
  versions,
  prepare: () => java.prepare(),
  start: (options) => startConnectorProgram('JC', javaCommand('InteropConnector'), options),
}
