import { execFile } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectorCases } from '../../check/connector/cases.js'
import { createConnector, type Connector } from '../../connector/index.js'
import { bin, ensureBuilt } from '../support/built.js'
import { BrokenConnector, type Fault } from './broken-connector.js'
import { label, runKit, type KitRun } from './run-kit.js'

const RUN_TIMEOUT_MS = 300_000

/** Every result, one test each would hide which of them were run: the list of those that did not pass must be empty. */
const notPassed = (run: KitRun): string[] =>
  run.results
    .filter(({ outcome }) => outcome !== 'pass')
    .map((result) => `${label(result)} ${result.outcome} ${result.actual ?? result.reason ?? ''}`)

describe('our connector', () => {
  it(
    'passes every case that needs no restart, over both versions, with every extension',
    async () => {
      const run = await runKit(
        ({ router, target, route }) => {
          const started: Promise<Connector> = createConnector({
            routers: router,
            target,
            route,
            backoffBase: 50,
            pingInterval: 1_000,
          })
          return async () => (await started).close()
        },
        { strict: true },
      )
      const expected = new Set(['C6.4', 'C7.8', 'C7.9', 'C7.10', 'C7.11'])
      const skipped = run.results.filter(({ outcome }) => outcome === 'skip')
      expect(new Set(skipped.map(({ id }) => id))).toEqual(expected)
      expect(notPassed({ ...run, results: run.results.filter((result) => !expected.has(result.id)) })).toEqual([])
      expect(run.failed).toBe(false)
      expect(run.results.length).toBeGreaterThan(130)
    },
    RUN_TIMEOUT_MS,
  )
})

describe('cranker check connector, as a command', () => {
  beforeAll(ensureBuilt, RUN_TIMEOUT_MS)

  const command = (args: readonly string[]) =>
    new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
      execFile(
        process.execPath,
        [bin('cranker'), 'check', ...args],
        { maxBuffer: 2 ** 24 },
        (error, stdout, stderr) => {
          resolve({ code: Number(error?.code ?? 0), stdout, stderr })
        },
      )
    })
  const ours = (flags = '') =>
    `exec '${process.execPath}' '${bin('cranker-connector')}' --router {router} --route {route} --target {target} --backoff-base 50ms ${flags}`

  it(
    'starts the connector, stops it, and starts it again: ours leaves as it should',
    async () => {
      const { code, stdout, stderr } = await command([
        'connector',
        '--exec',
        ours(),
        '--only',
        'C7.8,C7.9,C7.10,C7.11',
        '--strict',
      ])
      expect(stdout).toContain('TAP version 14\n1..8\n')
      expect(stdout.match(/^ok \d+ - C7\.\d+@\d\.\d [a-z]/gm)).toHaveLength(8)
      expect(stderr).toContain('8 passed, 0 failed')
      expect(code).toBe(0)
    },
    RUN_TIMEOUT_MS,
  )

  it(
    'prints one JSON document, over the versions that were asked for',
    async () => {
      const { code, stdout } = await command([
        'connector',
        '--exec',
        ours(),
        '--only',
        'C2.1,C3.1',
        '--protocol',
        '1.0',
        '--json',
      ])
      const { counts, results } = JSON.parse(stdout) as {
        counts: Record<string, number>
        results: { id: string; version?: string }[]
      }
      expect(counts).toMatchObject({ pass: 2, fail: 0 })
      expect(results.map(({ id, version }) => [id, version])).toEqual([
        ['C2.1', undefined],
        ['C3.1', '1.0'],
      ])
      expect(code).toBe(0)
    },
    RUN_TIMEOUT_MS,
  )

  it(
    'skips what a connector does not speak, with the reason',
    async () => {
      const { stdout } = await command(['connector', '--exec', ours('--protocol 3.0'), '--only', 'C3.1'])
      expect(stdout).toContain('ok 1 - C3.1@3.0 ')
      expect(stdout).toMatch(/^ok 2 - C3\.1@1\.0 .* # SKIP the implementation under test does not speak 1\.0$/m)
    },
    RUN_TIMEOUT_MS,
  )

  it('says what the connector printed when it ends before it registers', async () => {
    const { code, stderr } = await command(['connector', '--exec', 'echo no such module; exit 3'])
    expect(stderr).toContain('the connector ended before it registered')
    expect(stderr).toContain('no such module')
    expect(code).toBe(1)
  })

  it.each([
    [['connector', '--only', 'C99'], 'there is no case C99'],
    [['connector', '--like', 'nobody'], '--like: "nobody"'],
    [['connector', '--protocol', '2.0'], '--protocol: "2.0"'],
    [['spaceship'], 'cranker check connector'],
  ])('cranker check %s is told on one line, with exit status 2', async (args, words) => {
    const { code, stderr } = await command(args)
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
    expect(stderr).toContain(words)
    expect(code).toBe(2)
  })
})

/** What the kit must find, and only that, among these cases. */
const EXCHANGES = [
  'C3.1',
  'C3.2',
  'C3.3',
  'C3.4',
  'C3.7',
  'C5.1',
  'C5.2',
  'C5.3',
  'C5.11',
  'C5.12',
  'C5.19',
  'C5.20',
  'C5.21',
  'C5.24',
  'C5.25',
  'C5.32',
  'C6.1',
  'C8.4',
  'C8.6',
  'C8.7',
]
const REGISTRATIONS = ['C2', 'C7.2', 'C7.3', 'C7.4', 'C7.6']
const FAULTS: readonly (readonly [fault: Fault, only: readonly string[], expected: readonly string[]])[] = [
  ['none', [...EXCHANGES, ...REGISTRATIONS], []],
  ['crlf', EXCHANGES, ['C3.2']],
  ['space', EXCHANGES, ['C3.3']],
  ['no-end', EXCHANGES, ['C5.3', 'C8.7']],
  ['no-window', EXCHANGES, ['C5.19', 'C5.20']],
  ['strict-types', EXCHANGES, ['C5.25']],
  ['strips-route', EXCHANGES, ['C3.7']],
  ['follows', EXCHANGES, ['C8.7']],
  ['storms', REGISTRATIONS, ['C2.9', 'C7.6']],
  ['no-pongs', EXCHANGES, ['C5.2', 'C5.3', 'C5.24', 'C5.25', 'C6.1']],
]

describe('a connector with one fault', () => {
  it.each(FAULTS)(
    '%s: the kit finds exactly that',
    async (fault, only, expected) => {
      const run = await runKit(
        (urls) => {
          const connector = new BrokenConnector(fault, urls)
          return () => connector.stop()
        },
        { only, versions: ['3.0'], timeout: 1_500, strict: true },
      )
      const failed = run.results.filter(({ outcome }) => outcome === 'fail')
      expect(failed.map(({ id }) => id)).toEqual(expected)
      expect(run.failed).toBe(expected.length > 0)
    },
    RUN_TIMEOUT_MS,
  )
})

describe('the report of a failure', () => {
  let run: KitRun
  let connector: BrokenConnector | undefined

  beforeAll(async () => {
    run = await runKit(
      (urls) => {
        connector = new BrokenConnector('no-end', urls)
        return () => connector?.stop()
      },
      { only: ['C5.3'], versions: ['3.0'], timeout: 1_000 },
    )
  }, RUN_TIMEOUT_MS)

  afterAll(() => connector?.stop())

  it('tells the section, what was expected, what came, and what was said, decoded', () => {
    const stable = run.tap
      .replace(/^ +\d+ ms {2}/gm, (text) => `${' '.repeat(text.indexOf('ms') - 2)}0 ms  `)
      .replace(/milliseconds: \d+/, 'milliseconds: 0')
      .replace(/Date:[^⏎]*GMT/g, 'Date:(now)')
      .replace(/HEADER #(\d+) END_HEADERS \d+ B/g, 'HEADER #$1 END_HEADERS (n) B')
      .replace(/^.*P[IO]NG.*\n/gm, '')
    expect(stable).toMatchSnapshot()
    expect(run.summary).toBe('0 passed, 1 failed: C5.3@3.0')
  })
})

describe('the cases', () => {
  it('have numbers of their own, by section', () => {
    const ids = connectorCases.map(({ id }) => id)
    expect(new Set(ids).size).toBe(ids.length)
    const strange = connectorCases.filter(
      ({ id, section }) => !/^C[2-9]\.\d+$/.test(id) || section.split('.')[0] !== id.slice(1, 2),
    )
    expect(strange.map(({ id }) => id)).toEqual([])
  })
})
