import type { Clock, Timer } from '../../protocol/clock.js'

class FakeTimer implements Timer {
  due = 0
  active = true
  order = 0
  readonly #arm: (timer: FakeTimer) => void
  readonly fn: () => void

  constructor(fn: () => void, arm: (timer: FakeTimer) => void) {
    this.fn = fn
    this.#arm = arm
    arm(this)
  }

  refresh(): void {
    this.active = true
    this.#arm(this)
  }

  clear(): void {
    this.active = false
  }
}

/** A clock that stands still until a test moves it. Timers run in the order of their due time, then of creation. */
export class FakeClock implements Clock {
  #now: number
  #order = 0
  readonly #timers = new Set<FakeTimer>()

  constructor(start = 1_000_000) {
    this.#now = start
  }

  now(): number {
    return this.#now
  }

  timer(fn: () => void, ms: number): Timer {
    return new FakeTimer(fn, (timer) => {
      timer.due = this.#now + ms
      timer.order = this.#order++
      this.#timers.add(timer)
    })
  }

  /** Timers that would still fire. */
  get pending(): number {
    let count = 0
    for (const timer of this.#timers) if (timer.active) count++
    return count
  }

  /** Moves time on, running every timer that falls due on the way at exactly its time. */
  advance(ms: number): void {
    const until = this.#now + ms
    for (let next = this.#next(until); next !== undefined; next = this.#next(until)) {
      this.#now = Math.max(this.#now, next.due)
      this.#timers.delete(next)
      next.active = false
      next.fn()
    }
    this.#now = until
  }

  /** Moves time on in one leap: what was due on the way runs late, as after a long GC or a suspended machine. */
  leap(ms: number): void {
    this.#now += ms
    this.advance(0)
  }

  #next(until: number): FakeTimer | undefined {
    let best: FakeTimer | undefined
    for (const timer of this.#timers) {
      if (!timer.active) this.#timers.delete(timer)
      else if (timer.due <= until) {
        if (best === undefined || timer.due < best.due || (timer.due === best.due && timer.order < best.order)) {
          best = timer
        }
      }
    }
    return best
  }
}
