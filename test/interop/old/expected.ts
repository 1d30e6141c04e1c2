/**
 * What the earlier build cannot do by its own fault: the promise that any order of upgrades works does not cover it.
 */

/** Which side is the earlier build. */
export type OldSide = 'router' | 'connector'

/** WebSockets came later: upgrade.test.ts beside this file shows what becomes of them. */
const webSockets = ['upgrade.test.ts', 'websocket.test.ts']

/** So did trailers: the earlier build announces them, and drops them. */
const trailers = ['trailers.test.ts']

/** Conformance suites of what that side did not have yet. They are not run with it. */
export const newSuites: Readonly<Record<OldSide, readonly string[]>> = {
  router: [...webSockets, ...trailers, 'http2.test.ts', 'http2-websocket.test.ts'],
  connector: [...webSockets, ...trailers, 'http2-websocket.test.ts'],
}

export interface ExpectedFailure {
  readonly old: OldSide
  /** The names of the suites and the test, joined by ` > `. */
  readonly test: RegExp
  /** What the earlier build does. */
  readonly reason: string
}

/** Each is run all the same, and one that passes fails until it is removed here. */
export const expectedFailures: readonly ExpectedFailure[] = [
  {
    old: 'router',
    test: /keeps 8-bit field values of a response head that comes before its body/,
    reason: 'It writes a head that waits for its body as UTF-8.',
  },
]
