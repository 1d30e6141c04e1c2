/** Time, handed in so that tests own it. */
export interface Clock {
  /** Milliseconds from an arbitrary start; never goes back. */
  now(): number
  /** Calls `fn` once after `ms`; the timer does not keep the process alive. */
  timer(fn: () => void, ms: number): Timer
}

export interface Timer {
  /** Starts the full interval again, also when it had ended or was cleared. */
  refresh(): void
  clear(): void
}

class NodeTimer implements Timer {
  #timeout: NodeJS.Timeout | undefined
  readonly #fn: () => void
  readonly #ms: number

  constructor(fn: () => void, ms: number) {
    this.#fn = fn
    this.#ms = ms
    this.#timeout = setTimeout(fn, ms).unref()
  }

  refresh(): void {
    if (this.#timeout === undefined) this.#timeout = setTimeout(this.#fn, this.#ms).unref()
    else this.#timeout.refresh()
  }

  clear(): void {
    clearTimeout(this.#timeout)
    this.#timeout = undefined
  }
}

export const systemClock: Clock = {
  now: () => performance.now(),
  timer: (fn, ms) => new NodeTimer(fn, ms),
}
