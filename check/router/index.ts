/** `cranker check router`: everything between its flags and its report. */
import type { ProtocolVersion } from '../../protocol/session.js'
import type { Case } from '../case.js'
import { dial } from '../dial.js'
import type { KnownPeer } from '../like.js'
import type { Reporter } from '../report.js'
import { planned, runCases, type CheckResult } from '../runner.js'
import { Transcript } from '../transcript.js'
import { RouterHarness, type Bench, type RouterContext } from './context.js'

export interface CheckRouterOptions {
  /** Of the registration port: `ws:` or `wss:`. */
  readonly registration: URL
  /** Of the public port: `http:` or `https:`. */
  readonly public: URL
  /** Every case registers a route of its own that begins with this. */
  readonly route: string
  /** Accept any certificate. */
  readonly insecure?: boolean | undefined
  readonly only?: readonly string[] | undefined
  readonly versions: readonly ProtocolVersion[]
  readonly like?: KnownPeer | undefined
  readonly strict?: boolean | undefined
  readonly slow?: boolean | undefined
  /** The longest wait for anything that must come, ms. */
  readonly timeout: number
  readonly reporter: Reporter
  readonly signal?: AbortSignal | undefined
}

/** Runs the cases on a router that listens already. */
export async function checkRouter(cases: readonly Case<RouterContext>[], options: CheckRouterOptions): Promise<void> {
  const { registration, route, timeout, reporter, insecure = false } = options
  const bench: Bench = { registration, public: { url: options.public, insecure, timeout }, route, insecure }
  const spoken = await spokenVersions(bench, options.versions)
  // Cases about no version run over the first one.
  const versions = options.versions.toSorted((a, b) => Number(spoken.includes(b)) - Number(spoken.includes(a)))
  const run = { ...options, versions, onResult: (result: CheckResult) => reporter.add(result) }
  reporter.begin(planned(cases, run))
  await runCases(cases, new RouterHarness(bench, spoken), run)
}

/**
 * The versions for which a registration is accepted: with both ways of asking for 1.0, because the oldest routers know
 * only the header (docs/protocol.md, section 2.2).
 */
async function spokenVersions(bench: Bench, asked: readonly ProtocolVersion[]): Promise<ProtocolVersion[]> {
  const spoken: ProtocolVersion[] = []
  for (const version of asked) {
    const url = new URL(bench.registration)
    const base = `${url.origin}${url.pathname.replace(/\/$/, '')}`
    const answer = await dial({
      url: new URL(`${base}/register/?connectorInstanceID=cranker-check-probe&componentName=cranker-check`),
      headers: [
        ['Sec-WebSocket-Protocol', `cranker_${version}`],
        ['Route', `${bench.route}-probe`],
        ...(version === '1.0' ? [['CrankerProtocol', '1.0'] as const] : []),
      ],
      name: 'probe',
      version,
      transcript: new Transcript(),
      timeout: bench.public.timeout,
      insecure: bench.insecure,
    })
    answer.socket?.close(1000)
    if (answer.socket !== undefined) spoken.push(version)
  }
  return spoken
}
