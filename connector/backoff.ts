/** Reconnect delays: exponential with full jitter, so that a thousand connectors do not come back in one moment. */

/** More doublings than this reach no new delay and would leave the integers. */
const MAX_DOUBLINGS = 30

export interface BackoffOptions {
  /** ms. */
  readonly base: number
  /** ms. */
  readonly max: number
  /** In [0, 1), as `Math.random`. */
  readonly random: () => number
}

/**
 * `random() · min(max, base · 2ⁿ)` for the n-th failure in a row. Who calls decides when a connection has proved
 * itself; opening one proves nothing.
 */
export class Backoff {
  readonly #options: BackoffOptions
  #failures = 0

  constructor(options: BackoffOptions) {
    this.#options = options
  }

  /** Failures since the last reset. */
  get failures(): number {
    return this.#failures
  }

  /** Notes a failure; returns how long to wait, ms. */
  next(): number {
    const { base, max, random } = this.#options
    const ceiling = Math.min(max, base * 2 ** Math.min(this.#failures, MAX_DOUBLINGS))
    this.#failures++
    return Math.round(random() * ceiling)
  }

  reset(): void {
    this.#failures = 0
  }
}
