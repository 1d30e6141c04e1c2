import type { Clock } from '../../protocol/clock.js'
import type { Pool } from './pool.js'
import { RouteTree } from './route-tree.js'

/** A domain's routes; its tree holds exactly its pools. */
interface Domain {
  tree: RouteTree<Pool>
  readonly pools: Map<string, Pool>
}

/** Trees are rebuilt at most this often, ms: at 1,000 routes it takes tens of milliseconds. */
const REBUILD_INTERVAL_MS = 5_000

/** The pools of all domains, and which of them a host and path belong to. */
export class Domains {
  readonly #domains = new Map<string, Domain>()
  readonly #clock: Clock
  readonly #keep: number
  readonly #max: number
  #size = 0
  #rebuilt = -Infinity

  /** @param limits `routeKeepTime`: how long an empty pool stays known. `maxRoutes`: pools, empty ones included. */
  constructor(limits: { readonly routeKeepTime: number; readonly maxRoutes: number }, clock: Clock) {
    this.#keep = limits.routeKeepTime
    this.#max = limits.maxRoutes
    this.#clock = clock
  }

  *pools(): Generator<Pool> {
    for (const { pools } of this.#domains.values()) yield* pools.values()
  }

  get(route: string, domain: string): Pool | undefined {
    return this.#domains.get(domain)?.pools.get(route)
  }

  add(pool: Pool): void {
    let domain = this.#domains.get(pool.domain)
    if (domain === undefined) this.#domains.set(pool.domain, (domain = { tree: new RouteTree(), pools: new Map() }))
    domain.tree.add(pool.route, pool)
    domain.pools.set(pool.route, pool)
    this.#size++
  }

  /** The exact domain, its catch-all included; then any domain. In each, the longest prefix that is still known. */
  find(host: string, path: string): Pool | undefined {
    const exact = host === '*' ? undefined : this.#domains.get(host)
    const found = exact === undefined ? undefined : this.#findIn(exact, path)
    if (found !== undefined) return found
    const any = this.#domains.get('*')
    return any === undefined ? undefined : this.#findIn(any, path)
  }

  /** Whether one more pool may be added; forgets the longest empty ones for it if it must. */
  makeRoom(): boolean {
    if (this.#size < this.#max) return true
    if (this.#clock.now() - this.#rebuilt < REBUILD_INTERVAL_MS) return false
    const empty = [...this.pools()].filter((pool) => pool.emptySince !== undefined && pool.queue.size === 0)
    empty.sort((a, b) => (a.emptySince as number) - (b.emptySince as number))
    // Some at once, so that a full table is not rebuilt for every new route.
    this.#forget(new Set(empty.slice(0, Math.max(1, Math.ceil(this.#max / 10)))))
    return this.#size < this.#max
  }

  /**
   * Drops pools that are no longer known and rebuilds the trees that held many of them. Call it off the request path.
   * Returns whether there are empty pools left to come back for.
   */
  tidy(): boolean {
    const gone = new Set<Pool>()
    let left = false
    for (const { pools } of this.#domains.values()) {
      const forgotten = [...pools.values()].filter((pool) => !this.#known(pool))
      // Few dead ones do no harm, and a rebuild costs as much as all that live.
      if (forgotten.length * 4 >= pools.size) for (const pool of forgotten) gone.add(pool)
      else if (forgotten.length > 0) left = true
      left ||= [...pools.values()].some((pool) => pool.emptySince !== undefined && !gone.has(pool))
    }
    if (gone.size > 0) this.#forget(gone)
    return left
  }

  #forget(gone: ReadonlySet<Pool>): void {
    this.#rebuilt = this.#clock.now()
    const names = new Set([...gone].map((pool) => pool.domain))
    for (const name of names) {
      const { pools } = this.#domains.get(name) as Domain
      const tree = new RouteTree<Pool>()
      for (const [route, pool] of pools) {
        if (gone.has(pool)) {
          pools.delete(route)
          this.#size--
        } else tree.add(route, pool)
      }
      if (pools.size === 0) this.#domains.delete(name)
      else this.#domains.set(name, { tree, pools })
    }
  }

  #findIn(domain: Domain, path: string): Pool | undefined {
    let pool = domain.tree.find(path)
    // Forgotten pools stay in the tree until it is rebuilt: the next shorter prefix has its turn.
    while (pool !== undefined && !this.#known(pool)) pool = shorter(domain, pool.route)
    return pool
  }

  #known(pool: Pool): boolean {
    return pool.emptySince === undefined || this.#clock.now() - pool.emptySince < this.#keep || pool.queue.size > 0
  }
}

function shorter(domain: Domain, route: string): Pool | undefined {
  for (let slash = route.lastIndexOf('/'); slash > 0; slash = route.lastIndexOf('/', slash - 1)) {
    const pool = domain.pools.get(route.slice(0, slash))
    if (pool !== undefined) return pool
  }
  return route === '*' ? undefined : domain.pools.get('*')
}
