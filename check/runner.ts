/** Runs cases one after the other, those that mostly wait beside them, each over the versions that it is about. */
import type { ProtocolVersion } from '../protocol/session.js'
import { CheckFailure, NotApplicable, type Case, type CaseContext, type Level } from './case.js'
import { knownDeviation, type KnownPeer, unsteadyDeviation } from './like.js'
import { Transcript } from './transcript.js'

/**
 * - `known`: it failed, as this peer is known to.
 * - `advice`: it failed, but is only recommended (SHOULD), and the run is not strict.
 * - `surprise`: it passed, though this peer is known to fail it: the list is out of date.
 */
export type Outcome = 'pass' | 'fail' | 'skip' | 'known' | 'advice' | 'surprise'

export interface CheckResult {
  readonly id: string
  readonly title: string
  /** Of docs/protocol.md. */
  readonly section: string
  readonly level: Level
  /** Undefined when the case is about no version. */
  readonly version: ProtocolVersion | undefined
  readonly outcome: Outcome
  /** Why it was skipped, or is known to fail. */
  readonly reason: string | undefined
  readonly expected: string | undefined
  readonly actual: string | undefined
  /** What was said, when it failed. */
  readonly transcript: readonly string[]
  readonly milliseconds: number
}

/** Makes ready what a case of one side needs. */
export interface Harness<Context extends CaseContext> {
  /** The versions that the implementation under test speaks, the kit's choice first. */
  readonly versions: readonly ProtocolVersion[]
  open(base: CaseContext): Promise<Context>
  /** Leaves nothing behind that the next case could trip over. */
  close(context: Context, passed: boolean): Promise<void>
}

export interface RunOptions {
  /** Case ids (`C5.3`), prefixes (`C5`) or patterns (`C*.1`). Empty or undefined: all. */
  readonly only?: readonly string[] | undefined
  /** Versions that are asked for; others are left out. */
  readonly versions: readonly ProtocolVersion[]
  readonly like?: KnownPeer | undefined
  /** SHOULD counts as MUST. Default false. */
  readonly strict?: boolean | undefined
  /** Also what takes half a minute each. Default false. */
  readonly slow?: boolean | undefined
  /** The longest wait for anything that must come, ms. */
  readonly timeout: number
  readonly onResult: (result: CheckResult) => void
  /** Ends the run. */
  readonly signal?: AbortSignal | undefined
}

/** One case over one version. */
interface Point<Context extends CaseContext> {
  readonly test: Case<Context>
  readonly version: ProtocolVersion
}

/** A case as a whole may take so many times the longest single wait, and at least so long. */
const CASE_FACTOR = 6
const CASE_LEAST_MS = 60_000
/** So many cases that mostly wait run beside the others. */
const ALONGSIDE = 4

/** How many results a run will have. */
export function planned<Context extends CaseContext>(cases: readonly Case<Context>[], options: RunOptions): number {
  return points(cases, options).length
}

/** Runs everything that `options` ask for, over one version after the other. */
export async function runCases<Context extends CaseContext>(
  cases: readonly Case<Context>[],
  harness: Harness<Context>,
  options: RunOptions,
): Promise<void> {
  const all = points(cases, options)
  for (const version of options.versions) {
    const mine = all.filter((point) => point.version === version)
    if (!harness.versions.includes(version)) {
      for (const point of mine) {
        const reason = `the implementation under test does not speak ${version}`
        options.onResult(result(point, { outcome: 'skip', reason }))
      }
      continue
    }
    const one = async (point: Point<Context>): Promise<void> => {
      if (options.signal?.aborted !== true) options.onResult(await runPoint(point, harness, options))
    }
    const beside = inParallel(
      mine.filter(({ test }) => test.alongside === true),
      one,
    )
    for (const point of mine.filter(({ test }) => test.alongside !== true)) await one(point)
    await beside
  }
}

function points<Context extends CaseContext>(cases: readonly Case<Context>[], options: RunOptions): Point<Context>[] {
  const wanted = cases.filter((test) => isWanted(test.id, options.only))
  return options.versions.flatMap((version, index) =>
    wanted
      .filter((test) => (test.versions === 'any' ? index === 0 : test.versions.includes(version)))
      .map((test) => ({ test, version })),
  )
}

/** Whether `--only` asks for a case: by its id, the beginning of it, or a pattern. */
export function isWanted(id: string, only: readonly string[] | undefined): boolean {
  if (only === undefined || only.length === 0) return true
  return only.some((pattern) => {
    const words = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
    return new RegExp(`^${words.join('.*')}(?:\\..*)?$`, 'i').test(id)
  })
}

async function inParallel<T>(items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  const queue = [...items]
  const worker = async (): Promise<void> => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await run(item)
  }
  await Promise.all(Array.from({ length: ALONGSIDE }, worker))
}

async function runPoint<Context extends CaseContext>(
  point: Point<Context>,
  harness: Harness<Context>,
  options: RunOptions,
): Promise<CheckResult> {
  if (point.test.slow === true && options.slow !== true) {
    return result(point, { outcome: 'skip', reason: 'it takes half a minute: give --slow' })
  }
  const started = performance.now()
  const transcript = new Transcript()
  const error = await attempt(point, harness, options, transcript)
  const milliseconds = Math.round(performance.now() - started)
  const known = knownDeviation(options.like, point.test.id, point.version)
  if (error === undefined) {
    return result(point, { outcome: known === undefined ? 'pass' : 'surprise', reason: known, milliseconds })
  }
  const reason = known ?? unsteadyDeviation(options.like, point.test.id, point.version)
  if (error instanceof NotApplicable) return result(point, { outcome: 'skip', reason: error.message, milliseconds })
  const { expected, actual } =
    error instanceof CheckFailure
      ? error
      : { expected: point.test.title, actual: `the kit itself failed: ${inside(error)}` }
  const advice = point.test.level === 'should' && options.strict !== true
  return result(point, {
    outcome: reason !== undefined ? 'known' : advice ? 'advice' : 'fail',
    reason: reason ?? (advice ? 'recommended (SHOULD)' : undefined),
    expected,
    actual,
    transcript: transcript.lines(),
    milliseconds,
  })
}

/** @returns what it threw */
async function attempt<Context extends CaseContext>(
  { test, version }: Point<Context>,
  harness: Harness<Context>,
  options: RunOptions,
  transcript: Transcript,
): Promise<unknown> {
  const limit = Math.max(CASE_LEAST_MS, CASE_FACTOR * options.timeout)
  const aborter = new AbortController()
  const { signal } = aborter
  const interrupt = (): void => aborter.abort(new CheckFailure(test.title, 'the run was interrupted'))
  options.signal?.addEventListener('abort', interrupt)
  const overdue = setTimeout(() => {
    aborter.abort(new CheckFailure(test.title, `the case was not over after ${String(limit)} ms`))
  }, limit)
  let context: Context | undefined
  let error: unknown
  try {
    context = await harness.open({ version, transcript, timeout: options.timeout, signal })
    await Promise.race([test.run(context), aborted(signal)])
  } catch (caught) {
    error = caught ?? new Error('nothing was thrown')
  }
  clearTimeout(overdue)
  options.signal?.removeEventListener('abort', interrupt)
  aborter.abort()
  if (context !== undefined) await harness.close(context, error === undefined)
  return error
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    signal.addEventListener('abort', () => {
      reject(signal.reason as Error)
    })
  })
}

function inside(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : JSON.stringify(error)
}

function result(point: Point<CaseContext>, rest: Partial<CheckResult> & Pick<CheckResult, 'outcome'>): CheckResult {
  const { test, version } = point
  return {
    id: test.id,
    title: test.title,
    section: test.section,
    level: test.level ?? 'must',
    version: test.versions === 'any' ? undefined : version,
    reason: undefined,
    expected: undefined,
    actual: undefined,
    transcript: [],
    milliseconds: 0,
    ...rest,
  }
}
