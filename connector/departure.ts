/** Leaving a router without losing a request. */
import type { Clock } from '../protocol/clock.js'
import { LINK_CLOSE_TIMEOUT_MS } from '../protocol/limits.js'
import type { Dialing } from './dialer.js'
import type { Tunnel } from './tunnel.js'

/** How long handshakes that are under way may take before they are given up, ms. */
const SETTLE_TIMEOUT_MS = 2_000
/** How long a router may take to confirm a deregistration, ms. */
const DEREGISTER_TIMEOUT_MS = 2_000

/** Who leaves. */
export interface Departing {
  /** Those whose connection is not gone, and those being opened; the owner removes them as they go. */
  readonly tunnels: ReadonlySet<Tunnel>
  /** `done` is called when no handshake is under way, which may be at once. */
  whenSettled(done: () => void): void
  /** Gives up the handshakes that are still under way. */
  abandon(): void
  /** `done` is called when the last connection is gone, which may be at once; it replaces the one given before. */
  whenEmpty(done: () => void): void
  /** `done` is called when the router has confirmed, refused, or cannot be reached. */
  deregister(done: () => void): Dialing
}

/**
 * In this order:
 *
 * 1. Handshakes under way complete. One that is given up now may have been accepted already, and the router would
 *    hand a request to a dead socket before it notices.
 * 2. The router is told to send nothing more, and confirms.
 * 3. What it had sent before arrives and is served (`Tunnel.leave`).
 * 4. What runs finishes, or is cut when `timeout` ms are over.
 * 5. The closing handshakes complete: a process that exits before its last frames are out takes them with it.
 *
 * Returns how many requests were cut.
 */
export async function depart(departing: Departing, clock: Clock, timeout: number): Promise<number> {
  const { tunnels } = departing
  const deadline = clock.now() + timeout
  const left = (most: number): number => Math.max(0, Math.min(most, deadline - clock.now()))
  const settled = (done: () => void): void => {
    departing.whenSettled(done)
  }
  const empty = (done: () => void): void => {
    departing.whenEmpty(done)
  }
  if (!(await within(clock, left(SETTLE_TIMEOUT_MS), settled))) departing.abandon()
  if (tunnels.size === 0) return 0

  let deregistration: Dialing | undefined
  const confirmed = (done: () => void): void => {
    deregistration = departing.deregister(done)
  }
  if (!(await within(clock, left(DEREGISTER_TIMEOUT_MS), confirmed))) deregistration?.cancel()

  for (const tunnel of tunnels) tunnel.leave('connector is stopping')
  await within(clock, left(timeout), empty)
  let cut = 0
  for (const { session } of tunnels) {
    cut += session?.load ?? 0
    session?.close(1001, 'connector stopped')
  }
  await within(clock, LINK_CLOSE_TIMEOUT_MS + 500, empty)
  for (const { session } of tunnels) session?.terminate()
  return cut
}

/** True when `done` was called, false when `ms` were over before. */
function within(clock: Clock, ms: number, subscribe: (done: () => void) => void): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = clock.timer(() => {
      resolve(false)
    }, ms)
    subscribe(() => {
      timer.clear()
      resolve(true)
    })
  })
}
