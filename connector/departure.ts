/** Leaving a router without losing a request. */
import type { Clock } from '../protocol/clock.js'
import { LINK_CLOSE_TIMEOUT_MS } from '../protocol/limits.js'
import type { Dialing } from './dialer.js'
import type { Tunnel } from './tunnel.js'

/** How long a router may take to confirm a deregistration, ms. */
export const DEREGISTER_TIMEOUT_MS = 2_000

export interface Departure {
  /** Those whose connection is not gone; whoever owns the set removes them as they go… */
  readonly tunnels: ReadonlySet<Tunnel>
  /** …and calls `done` when the last one has gone, which may be at once. The newest call replaces the one before. */
  readonly whenEmpty: (done: () => void) => void
  readonly clock: Clock
  /** ms, for what runs. */
  readonly timeout: number
  /** Undefined when nothing is registered. */
  readonly deregister: ((done: () => void) => Dialing) | undefined
}

/**
 * In this order: the router is told to send nothing more, and confirms; what it had sent before arrives and is served
 * (goaway, or the barrier of `Tunnel.leave`); what runs finishes, or is cut after `timeout`; the closing handshakes
 * complete, because a process that exits before its last frames are out takes them with it. Returns how many requests
 * were cut.
 */
export async function depart(departure: Departure): Promise<number> {
  const { tunnels, clock, timeout, deregister } = departure
  const deadline = clock.now() + timeout
  if (deregister !== undefined) await confirmed(deregister, clock, Math.min(timeout, DEREGISTER_TIMEOUT_MS))
  for (const tunnel of tunnels) tunnel.leave('connector is stopping')
  await gone(departure, deadline - clock.now())
  let cut = 0
  for (const { session } of tunnels) {
    cut += session?.load ?? 0
    session?.close(1001, 'connector stopped')
  }
  await gone(departure, LINK_CLOSE_TIMEOUT_MS + 500)
  for (const { session } of tunnels) session?.terminate()
  return cut
}

function confirmed(deregister: (done: () => void) => Dialing, clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.timer(() => {
      dialing.cancel()
      resolve()
    }, ms)
    const dialing = deregister(() => {
      timer.clear()
      resolve()
    })
  })
}

function gone({ whenEmpty, clock }: Departure, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.timer(resolve, Math.max(0, ms))
    whenEmpty(() => {
      timer.clear()
      resolve()
    })
  })
}
