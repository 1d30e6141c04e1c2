/** What a conformance case is, and the two ways in which it may end without passing. */
import type { ProtocolVersion } from '../protocol/session.js'
import type { Transcript } from './transcript.js'

/** RFC 2119: what a peer MUST do fails the run, what it SHOULD do is told and fails it only with `--strict`. */
export type Level = 'must' | 'should'

/** One requirement of docs/protocol.md, tried on a foreign implementation. */
export interface Case<Context extends CaseContext = CaseContext> {
  /**
   * Stable: people quote it. `C` for connectors or `R` for routers, the section of docs/protocol.md, a running number:
   * `C5.3` is the third case about section 5.
   */
  readonly id: string
  /** A sentence whose subject is the implementation under test: "answers a ping with its payload". */
  readonly title: string
  /** Of docs/protocol.md: `5.4`. */
  readonly section: string
  /** Default `must`. */
  readonly level?: Level
  /** The versions that it is run over, once each; `any`: once, over whichever there is. */
  readonly versions: readonly ProtocolVersion[] | 'any'
  /** Waits most of its time and disturbs nobody: it runs beside the others. */
  readonly alongside?: true
  /** Takes half a minute: only run when asked for. */
  readonly slow?: true
  /** Resolves when the requirement is met; throws {@link CheckFailure} or {@link NotApplicable}. */
  run(context: Context): Promise<void>
}

/** What every case is given; the kits for routers and connectors add their side. */
export interface CaseContext {
  readonly version: ProtocolVersion
  readonly transcript: Transcript
  /** The longest wait for anything that must come, ms. */
  readonly timeout: number
  /** Aborted when the time of the whole case is over. */
  readonly signal: AbortSignal
}

/** The implementation did something else than the protocol asks for. */
export class CheckFailure extends Error {
  override readonly name = 'CheckFailure'
  readonly expected: string
  readonly actual: string

  constructor(expected: string, actual: string) {
    super(`expected ${expected}; ${actual}`)
    this.expected = expected
    this.actual = actual
  }
}

/** The case cannot be tried on this implementation, for instance because it does not announce an extension. */
export class NotApplicable extends Error {
  override readonly name = 'NotApplicable'
}

/** @throws CheckFailure unless `condition` */
export function check(condition: boolean, expected: string, actual: string): asserts condition {
  if (!condition) throw new CheckFailure(expected, actual)
}

/** @throws CheckFailure unless both are the same text, number or word */
export function checkSame(what: string, actual: string | number | undefined, expected: string | number): void {
  if (actual !== expected) throw new CheckFailure(`${what}: ${shown(expected)}`, shown(actual))
}

/** A value as a failure shows it: text in quotes, cut after 200 characters. */
export function shown(value: string | number | undefined): string {
  if (typeof value !== 'string') return String(value)
  return JSON.stringify(value.length > MAX_SHOWN ? `${value.slice(0, MAX_SHOWN)}…` : value)
}

const MAX_SHOWN = 200
