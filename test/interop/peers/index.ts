import type { ConnectorPeer, RouterPeer } from '../peer.js'
import { ac } from './ac.js'
import { c4p } from './c4p.js'
import { jc } from './jc.js'
import { mu } from './mu.js'
import { rs } from './rs.js'

export { ourConnector, ourRouter } from './ours.js'

/** The published routers that can be had by name. */
export const foreignRouters: readonly RouterPeer[] = [mu, rs]

/** The published connectors that can be had by name. */
export const foreignConnectors: readonly ConnectorPeer[] = [jc, c4p, ac]
