/** What both halves of `cranker check` have in common: flags, the report, the exit status. */

import { knownPeers, type KnownPeer } from '../check/like.js'
import type { Case } from '../check/case.js'
import { isWanted } from '../check/runner.js'
import { jsonReporter, tapReporter, type Reporter } from '../check/report.js'
import { ALL_VERSIONS } from '../protocol/negotiate.js'
import type { ProtocolVersion } from '../protocol/session.js'
import type { Flag } from './flags.js'
import { duration, oneOf, text, UsageError } from './values.js'

const CASES = 'Cases:'
const REPORT = 'Report:'

/** The longest wait for anything that must come. */
export const DEFAULT_CHECK_TIMEOUT_MS = 5_000

export const checkFlags = {
  only: {
    kind: 'list',
    group: CASES,
    describe: 'Only these cases: an id (C5.3), the beginning of one (C5), or a pattern (C*.1)',
    default: 'all',
    parse: text,
  },
  protocol: {
    kind: 'list',
    group: CASES,
    describe: 'Only over these protocol versions',
    default: ALL_VERSIONS.join(','),
    parse: oneOf('3.0', '1.0'),
  },
  like: {
    kind: 'value',
    group: CASES,
    describe: 'Expect the known deviations of a published implementation; see docs/check.md for the names',
    parse: text,
  },
  strict: { kind: 'switch', group: CASES, describe: 'What is only recommended (SHOULD) fails the run too' },
  slow: { kind: 'switch', group: CASES, describe: 'Also the cases that take half a minute each' },
  timeout: {
    kind: 'value',
    group: CASES,
    describe: 'The longest wait for anything that must come',
    default: '5s',
    parse: duration,
  },
  json: { kind: 'switch', group: REPORT, describe: 'One JSON document at the end instead of TAP' },
} satisfies Record<string, Flag>

/** The order in which versions are tried, and what was asked for. */
export function checkVersions(asked: readonly ProtocolVersion[] | undefined): readonly ProtocolVersion[] {
  return asked === undefined || asked.length === 0 ? ALL_VERSIONS : [...new Set(asked)]
}

/** @throws UsageError when no such peer is known for this role */
export function checkLike(name: string | undefined, role: KnownPeer['role']): KnownPeer | undefined {
  if (name === undefined) return undefined
  const peer = Object.hasOwn(knownPeers, name) ? knownPeers[name] : undefined
  if (peer?.role === role) return peer
  const names = Object.entries(knownPeers).flatMap(([word, known]) => (known.role === role ? [word] : []))
  throw new UsageError(`--like: "${name}": expected ${names.join(', ')}`)
}

/** @throws UsageError when nothing is left to run */
export function checkOnly(cases: readonly Pick<Case, 'id'>[], only: readonly string[] | undefined): void {
  if (!cases.some(({ id }) => isWanted(id, only)))
    throw new UsageError(`--only: there is no case ${only?.join(', ') ?? ''}`)
}

/** Reports on stdout. */
export function checkReporter(json: boolean): Reporter {
  const write = (line: string): void => {
    process.stdout.write(line)
  }
  return json ? jsonReporter(write) : tapReporter(write)
}

/** The summary on stderr, and the exit status: 0 when nothing failed, 1 otherwise. */
export function finishCheck(reporter: Reporter): void {
  process.stderr.write(`${reporter.end()}\n`)
  process.exitCode = reporter.failed ? 1 : 0
}
