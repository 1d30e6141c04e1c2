import findMyWay from 'find-my-way'

const unused = (): void => {}

/**
 * The routes of one domain: the longest registered prefix of whole path segments wins, `*` takes the rest.
 *
 * Routes are only added; whoever wants one gone builds a new tree, because find-my-way's `off()` rebuilds it all as
 * well (49 ms at 1,000 routes). Names must have been validated: `:`, `*` and `(` are syntax to find-my-way.
 */
export class RouteTree<T> {
  // No constraints: with host constraints a path beats a host, and the 32nd host on one path throws.
  readonly #tree = findMyWay({ caseSensitive: true })
  #catchAll: T | undefined

  /** @param route a path prefix without slashes at its ends, or `*`; each at most once. */
  add(route: string, value: T): void {
    if (route === '*') {
      this.#catchAll = value
      return
    }
    this.#tree.on('GET', `/${route}`, unused, value)
    this.#tree.on('GET', `/${route}/*`, unused, value)
  }

  /** @param path the raw path of a request target, or `*` (`OPTIONS *`), which belongs to the catch-all. */
  find(path: string): T | undefined {
    if (path === '*') return this.#catchAll
    const found = this.#tree.find('GET', path.includes('%') ? comparable(path) : path)
    return found === null ? this.#catchAll : (found.store as T)
  }
}

/**
 * A path with escapes, as routes see it: escaped letters, digits, `_`, `.` and `-` are what they stand for (RFC 3986
 * §2.3); any other escape, `%2F` included, becomes a character that no route has. find-my-way decodes UTF-8 and finds
 * nothing at all where it cannot, although `/a/%E9` is a legal path.
 */
function comparable(path: string): string {
  return path.replace(/%([0-9a-f]{2})?/gi, (_escape, hex: string | undefined) => {
    const char = hex === undefined ? '!' : String.fromCharCode(parseInt(hex, 16))
    return /[a-z0-9_.-]/i.test(char) ? char : '!'
  })
}
