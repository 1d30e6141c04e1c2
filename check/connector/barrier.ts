/** Steps that cases about 3.0 have in common. */
import { randomBytes } from 'node:crypto'
import type { ConnectorContext } from './context.js'
import type { ExchangeV3 } from './exchange-v3.js'
import type { Tunnel } from './lobby.js'
import type { ServiceCall } from './service.js'

/** What the connector had sent before it read this ping has come when its pong comes (docs/protocol.md, section 6.3). */
export async function barrier(context: ConnectorContext, tunnel: Tunnel): Promise<void> {
  const payload = randomBytes(8)
  tunnel.socket.ping(payload)
  await tunnel.socket.inbox.take(
    'a pong with the payload of the ping',
    (event) => (event.kind === 'pong' && event.bytes.equals(payload) ? event : undefined),
    context.timeout,
  )
}

/** Starts an exchange whose request, without a body, has reached the service. */
export async function begin(
  context: ConnectorContext,
  tunnel: Tunnel,
  method = 'GET',
): Promise<{ exchange: ExchangeV3; call: ServiceCall }> {
  const exchange = context.exchangeV3(tunnel)
  exchange.send({ method, target: context.path })
  return { exchange, call: await context.call() }
}
