/** Runs `cranker check connector` in this process, for tests. */
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
