/** What was said while a case ran, both ways, in the order and at the time in which it was said. */
import { describeMessage } from '../protocol/describe.js'
import type { Sender, TunnelMessage } from '../protocol/meaning.js'
import type { ProtocolVersion } from '../protocol/session.js'

interface Entry {
  readonly at: number
  /** Where: `socket 2`, `service`, `client`. */
  readonly who: string
  /** The line without its time; only made when somebody reads it. */
  readonly words: () => string
}

/** Entries kept: the first ones say how it began, the last ones how it went wrong. */
const KEEP_FIRST = 40
const KEEP_LAST = 160
/** Larger messages are not kept. */
const KEEP_BYTES = 1024
/** Of a head. */
const HEAD_CHARS = 400

export class Transcript {
  readonly #first: Entry[] = []
  readonly #last: Entry[] = []
  #dropped = 0
  readonly #start = performance.now()

  /** A message on a tunnel socket. */
  message(who: string, from: Sender, version: ProtocolVersion, message: TunnelMessage): void {
    const describe = (): string => describeMessage(version, message, { from, headChars: HEAD_CHARS })
    // Large ones are put into words at once: a transcript must not hold megabytes.
    const large = message.kind === 'binary' && message.data.length > KEEP_BYTES ? describe() : undefined
    this.#add({ at: performance.now() - this.#start, who, words: large === undefined ? describe : () => large })
  }

  /** Anything else worth a line: a handshake, a lost connection, a request that reached the service. */
  note(who: string, text: string): void {
    this.#add({ at: performance.now() - this.#start, who, words: () => text })
  }

  /** One line each: `   12 ms  socket 1  → HEADER #1 …`. The arrows are those of docs/protocol.md: → from the router. */
  lines(): string[] {
    const dropped = this.#dropped === 0 ? [] : [`        … ${String(this.#dropped)} lines left out …`]
    return [...this.#first.map(line), ...dropped, ...this.#last.map(line)]
  }

  #add(entry: Entry): void {
    if (this.#first.length < KEEP_FIRST) {
      this.#first.push(entry)
      return
    }
    this.#last.push(entry)
    if (this.#last.length > KEEP_LAST) {
      this.#last.shift()
      this.#dropped++
    }
  }
}

function line(entry: Entry): string {
  return `${entry.at.toFixed(0).padStart(6)} ms  ${entry.who}  ${entry.words()}`
}
