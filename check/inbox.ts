/** Things that happened and wait to be looked at, with a bounded wait for those that did not happen yet. */
import { CheckFailure } from './case.js'

interface Waiter<Event> {
  readonly look: () => boolean
  readonly giveUp: (reason: string) => void
  readonly event?: Event
}

/** More than any case leaves lying about; beyond, the oldest are forgotten. */
const MAX_EVENTS = 20_000
/** So many of the events that came instead are named in a failure. */
const NAMED = 4

export class Inbox<Event> {
  readonly #name: string
  /** An event in words; undefined: not worth mentioning. */
  readonly #words: (event: Event) => string | undefined
  #events: Event[] = []
  readonly #waiters = new Set<Waiter<Event>>()
  #finished = false

  constructor(name: string, words: (event: Event) => string | undefined) {
    this.#name = name
    this.#words = words
  }

  put(event: Event): void {
    this.#events.push(event)
    if (this.#events.length > MAX_EVENTS) this.#events.shift()
    for (const waiter of [...this.#waiters]) if (waiter.look()) this.#waiters.delete(waiter)
  }

  /** Nothing more can come: whoever waits is told so. */
  finish(): void {
    this.#finished = true
    for (const waiter of this.#waiters) waiter.giveUp(`${this.#name} was over`)
    this.#waiters.clear()
  }

  /** Forgets what nobody has taken: it belongs to the case before. */
  clear(): void {
    this.#events = []
  }

  /** What has come and was not taken, in order. */
  get waiting(): readonly Event[] {
    return this.#events
  }

  /** Takes the first event for which `match` gives something, if it has come already. */
  poll<T>(match: (event: Event) => T | undefined): T | undefined {
    for (let index = 0; index < this.#events.length; index++) {
      const found = match(this.#events[index] as Event)
      if (found === undefined) continue
      this.#events.splice(index, 1)
      return found
    }
    return undefined
  }

  /**
   * Takes the first event for which `match` gives something, now or within `timeout` ms; others stay.
   * @throws CheckFailure "expected {what}", with what came instead
   */
  async take<T>(what: string, match: (event: Event) => T | undefined, timeout: number): Promise<T> {
    const found = this.poll(match)
    if (found !== undefined) return found
    if (this.#finished) throw this.#failure(what, `${this.#name} was over`)
    return new Promise<T>((resolve, reject) => {
      const giveUp = (reason: string): void => {
        clearTimeout(timer)
        reject(this.#failure(what, reason))
      }
      const waiter: Waiter<Event> = {
        look: () => {
          let event: T | undefined
          try {
            event = this.poll(match)
            if (event === undefined) return false
            resolve(event)
          } catch (error) {
            // A match may judge at once.
            reject(error instanceof Error ? error : new Error(String(error)))
          }
          clearTimeout(timer)
          return true
        },
        giveUp,
      }
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter)
        giveUp(`nothing like it came within ${String(timeout)} ms`)
      }, timeout)
      this.#waiters.add(waiter)
    })
  }

  /**
   * Resolves when nothing that matches has come for `quiet` ms.
   * @throws CheckFailure "expected no {what}" as soon as it comes
   */
  async none(what: string, match: (event: Event) => boolean, quiet: number): Promise<void> {
    const words = await this.take(what, (event) => (match(event) ? { event } : undefined), quiet).catch(() => undefined)
    if (words !== undefined) throw new CheckFailure(`no ${what}`, `${this.#words(words.event) ?? what} came`)
  }

  #failure(what: string, reason: string): CheckFailure {
    const came = this.#events.flatMap((event) => this.#words(event) ?? [])
    const rest = came.length > NAMED ? ` and ${String(came.length - NAMED)} more` : ''
    const instead = came.length === 0 ? '' : `; there was ${came.slice(-NAMED).join(', ')}${rest}`
    return new CheckFailure(what, `${reason}${instead}`)
  }
}
