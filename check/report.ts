/** Results as TAP 14 (https://testanything.org/tap-version-14-specification.html) or as JSON, and the sum of a run. */
import type { CheckResult, Outcome } from './runner.js'

export interface Reporter {
  begin(count: number): void
  add(result: CheckResult): void
  /** @returns the summary line */
  end(): string
  /** Something that MUST be so was not. */
  readonly failed: boolean
}

const OUTCOMES: readonly (readonly [Outcome, string])[] = [
  ['pass', 'passed'],
  ['fail', 'failed'],
  ['known', 'failed as known of this peer'],
  ['advice', 'not as recommended'],
  ['surprise', 'passed though known to fail'],
  ['skip', 'skipped'],
]

/** One line per case as it is done; what failed is followed by a YAML block. */
export function tapReporter(write: (text: string) => void): Reporter {
  const results: CheckResult[] = []
  return {
    begin: (count) => {
      write(`TAP version 14\n1..${String(count)}\n`)
    },
    add: (result) => {
      results.push(result)
      write(tapPoint(result, results.length))
    },
    end: () => summary(results),
    get failed() {
      return anyFailed(results)
    },
  }
}

/** One document at the end. */
export function jsonReporter(write: (text: string) => void): Reporter {
  const results: CheckResult[] = []
  return {
    begin: () => {},
    add: (result) => {
      results.push(result)
    },
    end: () => {
      const counts = Object.fromEntries(OUTCOMES.map(([outcome]) => [outcome, count(results, outcome)]))
      write(`${JSON.stringify({ failed: anyFailed(results), counts, results }, undefined, 2)}\n`)
      return summary(results)
    },
    get failed() {
      return anyFailed(results)
    },
  }
}

/** A list of known deviations that has become wrong is a failure too: it would hide the next regression. */
function anyFailed(results: readonly CheckResult[]): boolean {
  return results.length === 0 || results.some(({ outcome }) => outcome === 'fail' || outcome === 'surprise')
}

function count(results: readonly CheckResult[], outcome: Outcome): number {
  return results.filter((result) => result.outcome === outcome).length
}

function summary(results: readonly CheckResult[]): string {
  const parts = OUTCOMES.flatMap(([outcome, words]) => {
    const number = count(results, outcome)
    return number === 0 && outcome !== 'pass' && outcome !== 'fail' ? [] : [`${String(number)} ${words}`]
  })
  const failed = results.filter(({ outcome }) => outcome === 'fail' || outcome === 'surprise').map(label)
  return `${parts.join(', ')}${failed.length === 0 ? '' : `: ${failed.join(' ')}`}`
}

/** `C5.3@3.0`, as `--only` and the lists of known deviations write it. */
function label(result: CheckResult): string {
  return result.version === undefined ? result.id : `${result.id}@${result.version}`
}

function tapPoint(result: CheckResult, number: number): string {
  const { outcome, title, reason } = result
  const ok = outcome === 'pass' || outcome === 'skip' ? 'ok' : 'not ok'
  const line = `${ok} ${String(number)} - ${escaped(`${label(result)} ${title}`)}${directive(outcome, reason)}\n`
  if (outcome === 'surprise') return line + yaml([['message', `it passes, but is known to fail: ${reason ?? ''}`]])
  if (ok === 'ok') return line
  return line + yaml(diagnostics(result))
}

/** TODO: a harness does not count it as a failure. */
function directive(outcome: Outcome, reason: string | undefined): string {
  if (outcome === 'skip') return ` # SKIP ${escaped(reason ?? '')}`
  if (outcome === 'known') return ` # TODO known of this peer: ${escaped(reason ?? '')}`
  return outcome === 'advice' ? ` # TODO ${escaped(reason ?? '')}` : ''
}

function diagnostics(result: CheckResult): [string, string | readonly string[]][] {
  return [
    ['section', `docs/protocol.md, section ${result.section}`],
    ['level', result.level.toUpperCase()],
    ['expected', result.expected ?? ''],
    ['actual', result.actual ?? ''],
    ['milliseconds', String(result.milliseconds)],
    ['exchange', result.transcript],
  ]
}

function yaml(entries: readonly (readonly [string, string | readonly string[]])[]): string {
  const lines = entries.flatMap(([key, value]) => {
    if (typeof value === 'string') return [`  ${key}: ${scalar(value)}`]
    // A literal block: what was sent stays readable as it is.
    return value.length === 0 ? [] : [`  ${key}: |2`, ...value.map((text) => `    ${printable(text)}`)]
  })
  return ['  ---', ...lines, '  ...', ''].join('\n')
}

/** A JSON string is a YAML double-quoted scalar. */
function scalar(text: string): string {
  return /^\d+$/.test(text) ? text : JSON.stringify(text)
}

/** Controls would end the block, or play with the terminal. */
function printable(text: string): string {
  return text.replace(/[\x00-\x1f\x7f-\x9f\u2028\u2029]/g, '·')
}

/** In descriptions `#` begins a directive. */
function escaped(text: string): string {
  return printable(text).replace(/[\\#]/g, '\\$&')
}
