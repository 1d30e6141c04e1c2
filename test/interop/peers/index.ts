import type { ConnectorPeer, RouterPeer } from '../peer.js'
import { ac } from './ac.js'
import { c4p } from './c4p.js'
import { exampleGo } from './example-go.js'
import { examplePython } from './example-python.js'
import { jc } from './jc.js'
import { mu } from './mu.js'
import { rs } from './rs.js'

export { ourConnector, ourRouter } from './ours.js'

/** The published routers that can be had by name. */
export const foreignRouters: readonly RouterPeer[] = [mu, rs]

/** The published connectors that can be had by name. */
export const foreignConnectors: readonly ConnectorPeer[] = [jc, c4p, ac]

/** Those of this repository that were written from docs/protocol.md alone. */
export const exampleConnectors: readonly ConnectorPeer[] = [examplePython, exampleGo]
