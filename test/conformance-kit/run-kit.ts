/** Runs the kit in this process, for tests. */
import { connectorCases } from '../../check/connector/cases.js'
import { checkConnector, type CheckConnectorOptions } from '../../check/connector/index.js'
import { tapReporter } from '../../check/report.js'
import type { CheckResult } from '../../check/runner.js'

export interface KitRun {
  readonly results: readonly CheckResult[]
  /** As it would have been printed. */
  readonly tap: string
  readonly summary: string
  readonly failed: boolean
}

/** What a case is called in lists of known deviations: `C5.3@3.0`. */
export const label = (result: CheckResult): string =>
  result.version === undefined ? result.id : `${result.id}@${result.version}`

/** For what must come from programs that others wrote, ms. They also have cases that wait in vain. */
const PEER_TIMEOUT_MS = 2_500
/** For those that did not do as listed, ms: enough for a busy machine. */
const PATIENT_TIMEOUT_MS = 10_000

const isNews = ({ outcome }: CheckResult): boolean => outcome === 'fail' || outcome === 'surprise'

/** What failed or passed although it should not, with the exchange; empty if nothing did. */
export function newsIn(results: readonly CheckResult[]): string {
  return results
    .filter(isNews)
    .map((result) => {
      const found =
        result.outcome === 'surprise'
          ? 'it passes'
          : `expected ${String(result.expected)}, got ${String(result.actual)}`
      return [`${label(result)}: ${found}`, ...result.transcript].join('\n  ')
    })
    .join('\n')
}

/**
 * What a published program does otherwise than the lists of known deviations say, as {@link newsIn}. Cases that a busy
 * machine or the program's own haste may have decided are run once more.
 */
export async function newsOf(
  run: (options: { readonly timeout: number; readonly only?: readonly string[] }) => Promise<readonly CheckResult[]>,
): Promise<string> {
  const news = (await run({ timeout: PEER_TIMEOUT_MS })).filter(isNews)
  if (news.length === 0) return ''
  const labels = new Set(news.map(label))
  const again = await run({ timeout: PATIENT_TIMEOUT_MS, only: [...new Set(news.map(({ id }) => id))] })
  return newsIn(again.filter((result) => labels.has(label(result))))
}

/** `start` is told where the kit listens; what it returns is called at the end. */
export async function runKit(
  start: (urls: {
    readonly router: string
    readonly target: string
    readonly route: string
  }) => () => Promise<void> | void,
  options: Partial<CheckConnectorOptions> = {},
): Promise<KitRun> {
  const results: CheckResult[] = []
  let tap = ''
  const tapped = tapReporter((text) => (tap += text))
  let stop: () => Promise<void> | void = () => {}
  try {
    await checkConnector(connectorCases, {
      host: '127.0.0.1',
      port: 0,
      route: 'check',
      versions: ['3.0', '1.0'],
      timeout: 5_000,
      wait: 60_000,
      reporter: {
        ...tapped,
        add: (result) => {
          results.push(result)
          tapped.add(result)
        },
      },
      onListening: (urls) => {
        stop = start(urls)
      },
      ...options,
    })
  } finally {
    await stop()
  }
  return { results, tap, summary: tapped.end(), failed: tapped.failed }
}
