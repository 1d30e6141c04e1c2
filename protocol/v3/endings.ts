import { CrankerError } from '../errors.js'
import type { SessionEnd } from '../session.js'

/** Close codes (RFC 6455 §7.4.1) that we send. */
export const GOING_AWAY = 1001
export const PROTOCOL_ERROR = 1002
/** The connection was lost; never on the wire. */
const LOST = 1006
/** By these a peer ends a socket on purpose; 1005 is a bare Close frame. */
const CLEAN_CODES: ReadonlySet<number> = new Set([1000, GOING_AWAY, 1005])

/** Why a socket has ended, and what that is for the exchanges that still ran on it. */
export interface Ending {
  readonly end: SessionEnd
  readonly error: CrankerError
}

export function closedHere(code: number, reason: string): Ending {
  const error = new CrankerError('CRANKER_ERR_CLOSED', `The tunnel socket was closed here: ${reason}`)
  return { end: { code, reason, clean: true, error: undefined }, error }
}

export function cutHere(): Ending {
  return closedHere(LOST, 'cut')
}

/** The peer's Close frame has come, or the connection is gone. */
export function closedByPeer(code: number, reason: string, cause: Error | undefined): Ending {
  if (CLEAN_CODES.has(code) && cause === undefined) {
    const error = new CrankerError('CRANKER_ERR_SOCKET_LOST', `The peer closed the tunnel socket (${code} ${reason})`, {
      initiator: 'peer',
    })
    return { end: { code, reason, clean: true, error: undefined }, error }
  }
  const why = cause?.message ?? (reason === '' ? 'no reason given' : reason)
  const error = new CrankerError('CRANKER_ERR_SOCKET_LOST', `The tunnel socket was lost (${code}, ${why})`, {
    initiator: 'peer',
    cause,
  })
  return { end: { code, reason, clean: false, error }, error }
}

export function silentPeer(): Ending {
  const reason = 'No frame came from the peer in the time that a living one is given'
  const error = new CrankerError('CRANKER_ERR_SOCKET_LOST', reason, { initiator: 'peer' })
  return { end: { code: LOST, reason, clean: false, error }, error }
}

export function brokenProtocol(what: string): Ending {
  const error = new CrankerError('CRANKER_ERR_PROTOCOL', what, { initiator: 'peer' })
  return { end: { code: PROTOCOL_ERROR, reason: what, clean: false, error }, error }
}
