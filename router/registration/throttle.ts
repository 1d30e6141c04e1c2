import { isIPv6 } from 'node:net'
import type { Clock } from '../../protocol/clock.js'

/** Refusals that an address gets at once… */
const BURST = 20
/** …and how fast it earns new ones, per second. */
const REFILL_PER_SECOND = 1
/** How long every further refusal is held back, ms: a peer that asks again at once asks once in this time. */
const HOLD_MS = 1_000
/** Refusals held back at once: each is an open socket. Beyond it they are cut without an answer. */
const MAX_HELD = 1_000
/** Addresses remembered at once. */
const MAX_ADDRESSES = 10_000

/** What happens to a refusal. */
export type Verdict = 'answer' | 'hold' | 'cut'

interface Bucket {
  tokens: number
  at: number
}

/**
 * Keeps peers that retry refusals without a pause (crank4py-connector: 200 times a second; several others 33–79) from
 * costing anything.
 *
 * Only refusals are counted: on 1.0 every request brings a registration of its own, so that successful ones are
 * limited by requests. And only refusals are slowed down: the good neighbour of a misconfigured connector, behind the
 * same NAT, is let in as ever.
 */
export class Throttle {
  readonly #clock: Clock
  /** In the order of their last refusal. */
  readonly #buckets = new Map<string, Bucket>()
  #held = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** A handshake from `address` is about to be refused. */
  judge(address: string): Verdict {
    const key = throttleKey(address)
    const now = this.#clock.now()
    const bucket = this.#buckets.get(key) ?? { tokens: BURST, at: now }
    bucket.tokens = Math.min(BURST, bucket.tokens + ((now - bucket.at) / 1_000) * REFILL_PER_SECOND)
    bucket.at = now
    this.#buckets.delete(key)
    this.#buckets.set(key, bucket)
    if (this.#buckets.size > MAX_ADDRESSES) this.#forgetOldest()
    if (bucket.tokens >= 1) {
      bucket.tokens--
      return 'answer'
    }
    return this.#held < MAX_HELD ? 'hold' : 'cut'
  }

  /** Calls `done` after the holding time. Returns what to call if the peer leaves before. */
  hold(done: () => void): () => void {
    this.#held++
    let over = false
    const finish = (): boolean => {
      if (over) return false
      over = true
      this.#held--
      timer.clear()
      return true
    }
    const timer = this.#clock.timer(() => {
      if (finish()) done()
    }, HOLD_MS)
    return finish
  }

  #forgetOldest(): void {
    for (const key of this.#buckets.keys()) {
      this.#buckets.delete(key)
      return
    }
  }
}

/** An IPv4 address; of an IPv6 address the /64, which is what one host can choose from (RFC 4291 §2.5.4). */
export function throttleKey(address: string): string {
  if (!isIPv6(address)) return address
  const [left = '', right] = (address.split('%')[0] as string).split('::')
  const head = left === '' ? [] : left.split(':')
  const tail = right === undefined || right === '' ? [] : right.split(':')
  const zeros = right === undefined ? 0 : Math.max(0, 8 - head.length - tail.length)
  const groups = [...head, ...new Array<string>(zeros).fill('0'), ...tail]
  return `${groups
    .slice(0, 4)
    .map((group) => parseInt(group, 16).toString(16))
    .join(':')}::/64`
}
