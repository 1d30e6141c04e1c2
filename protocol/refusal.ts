import { CrankerError } from './errors.js'

/** The reason that a connector gives when the service cannot be connected to (docs/protocol.md, `refuse`). */
export const TARGET_UNREACHABLE = 'target unreachable'

/** What "this request was not given to the service" is for the router: it may be sent again whatever its method. */
export function refusedByPeer(reason: string): CrankerError {
  return new CrankerError(
    reason === TARGET_UNREACHABLE ? 'CRANKER_ERR_TARGET_UNREACHABLE' : 'CRANKER_ERR_REFUSED',
    `the connector did not take the request: ${reason || 'no reason given'}`,
    { initiator: 'peer', delivered: 'no' },
  )
}
