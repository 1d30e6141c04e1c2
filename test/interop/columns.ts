/** Who meets whom: one column of docs/interop.md is one foreign peer, over one version, with our counterpart. */
import type { Version } from '../support/pair.js'
import type { ConnectorPeer, RouterPeer } from './peer.js'
import { ourConnector, ourRouter } from './peers/ours.js'

/** `both`: the connector offers 3.0 and 1.0, and the router chooses. */
export type Over = Version | 'both'

export interface Column {
  /** What the foreign peer is; the other side is ours. */
  readonly side: 'router' | 'connector'
  readonly peer: RouterPeer | ConnectorPeer
  readonly over: Over
  readonly router: RouterPeer
  readonly connector: ConnectorPeer
  /** What the connector offers. */
  readonly protocols: readonly Version[]
}

/** `JC 3.0` */
export function heading(column: Column): string {
  return `${column.peer.name} ${column.over}`
}

/** Foreign connectors with our router; one that knows both versions also offers both at once. */
export function connectorColumns(peers: readonly ConnectorPeer[]): Column[] {
  return peers.flatMap((peer) => {
    const column = (over: Over, protocols: readonly Version[]): Column => {
      return { side: 'connector', peer, over, router: ourRouter, connector: peer, protocols }
    }
    const columns = peer.versions.map((version) => column(version, [version]))
    return columns.length < 2 ? columns : [...columns, column('both', ['3.0', '1.0'])]
  })
}

/** Foreign routers with our connector. */
export function routerColumns(peers: readonly RouterPeer[]): Column[] {
  return peers.flatMap((peer) =>
    peer.versions.map((version): Column => {
      return { side: 'router', peer, over: version, router: peer, connector: ourConnector, protocols: [version] }
    }),
  )
}
