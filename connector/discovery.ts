/** Which addresses the routers have: every name is resolved to all of its addresses, again and again. */
import { lookup } from 'node:dns/promises'
import { BlockList, isIP } from 'node:net'
import type { Clock, Timer } from '../protocol/clock.js'
import { Backoff } from './backoff.js'

/** A router at one of its addresses. */
export interface Endpoint {
  readonly router: URL
  /** IP address to connect to; undefined leaves the choice to the operating system. */
  readonly address: string | undefined
}

export interface DiscoveryEvents {
  onAdded(endpoint: Endpoint): void
  /** The very object that `onAdded` had been given. */
  onGone(endpoint: Endpoint): void
  /** What was known stays in use. */
  onLookupFailed(router: URL, error: unknown, retryIn: number): void
}

/** All addresses of a host name; rejects when they cannot be found out. */
export type Lookup = (hostname: string) => Promise<readonly string[]>

export interface DiscoveryOptions {
  readonly routers: readonly URL[]
  /** ms between two lookups of a name. */
  readonly interval: number
  /** Of lookups that failed, ms; never longer than `interval`. */
  readonly backoffBase: number
  readonly random: () => number
  readonly clock: Clock
  readonly lookup: Lookup
}

/** The operating system's resolver, all address families. */
export const systemLookup: Lookup = async (hostname) => {
  const found = await lookup(hostname, { all: true })
  return found.map((entry) => entry.address)
}

export class Discovery {
  readonly #watches: readonly Watch[]

  constructor(options: DiscoveryOptions, events: DiscoveryEvents) {
    this.#watches = options.routers.map((router) => new Watch(router, options, events))
  }

  /** Addresses that need no lookup are reported before this returns. */
  start(): void {
    for (const watch of this.#watches) watch.start()
  }

  /** No event comes from here on. */
  stop(): void {
    for (const watch of this.#watches) watch.stop()
  }
}

/** One router. */
class Watch {
  readonly #router: URL
  readonly #hostname: string
  readonly #options: DiscoveryOptions
  readonly #events: DiscoveryEvents
  readonly #backoff: Backoff
  #known = new Map<string | undefined, Endpoint>()
  #timer: Timer | undefined
  #stopped = false

  constructor(router: URL, options: DiscoveryOptions, events: DiscoveryEvents) {
    this.#router = router
    this.#hostname = router.hostname.replace(/^\[|\]$/g, '')
    this.#options = options
    this.#events = events
    const { backoffBase, interval, random } = options
    this.#backoff = new Backoff({ base: Math.min(backoffBase, interval), max: interval, random })
  }

  start(): void {
    if (isIP(this.#hostname) === 0) this.#resolve()
    else this.#apply([this.#hostname])
  }

  stop(): void {
    this.#stopped = true
    this.#timer?.clear()
  }

  #resolve(): void {
    this.#options.lookup(this.#hostname).then(
      (addresses) => this.#resolved(addresses),
      (error: unknown) => this.#failed(error),
    )
  }

  #resolved(addresses: readonly string[]): void {
    if (this.#stopped) return
    if (addresses.length === 0) {
      this.#failed(new Error('the name has no address'))
      return
    }
    this.#backoff.reset()
    this.#again(this.#options.interval)
    this.#apply(onThisMachine(addresses) ? [undefined] : addresses)
  }

  #failed(error: unknown): void {
    if (this.#stopped) return
    const retryIn = this.#backoff.next()
    this.#again(retryIn)
    this.#events.onLookupFailed(this.#router, error, retryIn)
  }

  #again(ms: number): void {
    this.#timer?.clear()
    this.#timer = this.#options.clock.timer(() => this.#resolve(), ms)
  }

  #apply(addresses: readonly (string | undefined)[]): void {
    const before = this.#known
    const now = new Map<string | undefined, Endpoint>()
    for (const address of addresses) now.set(address, before.get(address) ?? { router: this.#router, address })
    this.#known = now
    for (const [address, endpoint] of now) if (!before.has(address)) this.#events.onAdded(endpoint)
    for (const [address, endpoint] of before) if (!now.has(address)) this.#events.onGone(endpoint)
  }
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/**
 * `localhost` is 127.0.0.1 and ::1. Both lead to the same router, or one of them to nobody: registering at each would
 * double every window, or back off for ever. So such a pair is one endpoint, and connecting tries its addresses in
 * turn (RFC 8305).
 */
function onThisMachine(addresses: readonly string[]): boolean {
  const families = addresses.map((address) => (isIP(address) === 6 ? 'ipv6' : 'ipv4'))
  return (
    new Set(families).size === addresses.length &&
    addresses.length > 1 &&
    addresses.every((address, i) => loopback.check(address, families[i]))
  )
}
