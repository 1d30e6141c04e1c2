/** Stand-ins for the published peers that cannot be installed by name: they behave as those do, faults included. */
import type { ConnectorPeer, RouterPeer } from '../../interop/peer.js'
import { crank4go } from './crank4go.js'
import { crank4goRouter } from './crank4go-router.js'
import { crank4j } from './crank4j.js'
import { crank4jRouter } from './crank4j-router.js'
import { crankerNodeConnector } from './cranker-node-connector.js'
import { goCrankerConnector } from './go-cranker-connector.js'
import { npmCrankerConnector } from './npm-cranker-connector.js'
import { rustCrankerConnector } from './rust-cranker-connector.js'

export const scriptedConnectors: readonly ConnectorPeer[] = [
  crank4go,
  crank4j,
  goCrankerConnector,
  crankerNodeConnector,
  npmCrankerConnector,
  rustCrankerConnector,
]

export const scriptedRouters: readonly RouterPeer[] = [crank4goRouter, crank4jRouter]
