/**
 * What published implementations are known to do otherwise (docs/protocol.md, section 10): `--like jc` expects exactly
 * these cases to fail, so that whoever builds something on such a peer sees only what is new.
 */

import { acConnector, c4pConnector, jcConnector } from './connector/known.js'
import type { KnownDeviations, KnownPeer } from './known.js'
import { muRouter, rsRouter } from './router/known.js'

export type { KnownDeviations, KnownPeer } from './known.js'

/** By the word that follows `--like`. */
export const knownPeers: Readonly<Record<string, KnownPeer>> = {
  jc: jcConnector,
  c4p: c4pConnector,
  ac: acConnector,
  mu: muRouter,
  rs: rsRouter,
}

/** Why the case is expected to fail, or undefined. */
export function knownDeviation(peer: KnownPeer | undefined, id: string, version: string): string | undefined {
  return peer === undefined ? undefined : reasonIn(peer.deviations, id, version)
}

/** Why the case may fail, or undefined. */
export function unsteadyDeviation(peer: KnownPeer | undefined, id: string, version: string): string | undefined {
  return peer?.sometimes === undefined ? undefined : reasonIn(peer.sometimes, id, version)
}

function reasonIn(deviations: KnownDeviations, id: string, version: string): string | undefined {
  return deviations[`${id}@${version}`] ?? deviations[id]
}
