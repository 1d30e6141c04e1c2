/** `cranker check connector`: everything between its flags and its report. */
import type { ProtocolVersion } from '../../protocol/session.js'
import type { Case } from '../case.js'
import type { KnownPeer } from '../like.js'
import type { Reporter } from '../report.js'
import { planned, runCases } from '../runner.js'
import { ConnectorHarness, type Bench, type ConnectorContext } from './context.js'
import { Lobby, type Attempt, type Mood } from './lobby.js'
import { Program } from './program.js'
import { ScriptedService } from './service.js'

export interface CheckConnectorOptions {
  /** Address of the three ports. */
  readonly host: string
  /** Of the registration port; 0: any free one. */
  readonly port: number
  /** The route that the connector registers. */
  readonly route: string
  /** Starts the connector: a shell command with `{router}`, `{target}` and `{route}` in it. */
  readonly exec?: string | undefined
  readonly only?: readonly string[] | undefined
  readonly versions: readonly ProtocolVersion[]
  readonly like?: KnownPeer | undefined
  readonly strict?: boolean | undefined
  readonly slow?: boolean | undefined
  /** The longest wait for anything that must come, ms. */
  readonly timeout: number
  /** How long the connector may take to register at first, ms. */
  readonly wait: number
  readonly reporter: Reporter
  /** Told where to point the connector. */
  readonly onListening: (urls: { readonly router: string; readonly target: string; readonly route: string }) => void
  readonly signal?: AbortSignal | undefined
}

/** The connector did not come, or something else kept the kit from beginning. */
export class CheckNotStarted extends Error {
  override readonly name = 'CheckNotStarted'
}

/**
 * Runs the cases on whichever connector registers.
 * @throws CheckNotStarted
 */
export async function checkConnector(
  cases: readonly Case<ConnectorContext>[],
  options: CheckConnectorOptions,
): Promise<void> {
  const { host, route, reporter } = options
  const lobby = await Lobby.listen(host, options.port, route)
  const service = await ScriptedService.listen(host)
  const trap = await ScriptedService.listen(host)
  const urls = { router: `ws://${host}:${String(lobby.port)}`, target: `http://${host}:${String(service.port)}`, route }
  const program = options.exec === undefined ? undefined : new Program(filledIn(options.exec, urls))
  try {
    options.onListening(urls)
    program?.start()
    const bench: Bench = { lobby, service, trap, route, program }
    const spoken = await firstVersions(lobby, program, options)
    // Cases about no version run over the first one.
    const versions = options.versions.toSorted((a, b) => Number(spoken.includes(b)) - Number(spoken.includes(a)))
    const run = { ...options, versions, onResult: (result: Parameters<Reporter['add']>[0]) => reporter.add(result) }
    reporter.begin(planned(cases, run))
    await runCases(cases, new ConnectorHarness(bench, spoken), run)
  } finally {
    await program?.stop()
    await Promise.all([lobby.close(), service.close(), trap.close()])
  }
}

function filledIn(command: string, urls: Readonly<Record<'router' | 'target' | 'route', string>>): string {
  return command.replace(/\{(router|target|route)\}/g, (_, name: keyof typeof urls) => urls[name])
}

/** Waits for the first registration; what it offers is what the connector speaks. */
async function firstVersions(
  lobby: Lobby,
  program: Program | undefined,
  options: CheckConnectorOptions,
): Promise<ProtocolVersion[]> {
  const { inbox, done } = lobby.watch()
  let spoken: ProtocolVersion[] = []
  lobby.policy = (attempt, stream, head) => {
    spoken = offeredBy(attempt)
    const version = options.versions.find((asked) => spoken.includes(asked)) ?? spoken[0] ?? '3.0'
    lobby.mood = { version, extensions: false, echo: true } satisfies Mood
    lobby.policy = 'accept'
    lobby.accept(attempt, stream, head)
  }
  const ended = program?.ended(options.wait).then(() => undefined)
  const came = inbox
    .take('', (attempt) => (attempt.kind === 'register' ? attempt : undefined), options.wait)
    .catch(() => undefined)
  const first = await Promise.race([came, ...(ended === undefined ? [] : [ended])])
  done()
  if (first !== undefined) return spoken
  const output = program === undefined ? '' : `\n${program.output}`
  const why =
    program?.exit === undefined ? 'no connector registered in time' : 'the connector ended before it registered'
  throw new CheckNotStarted(`${why}${output}`)
}

/**
 * Both ways of negotiation (docs/protocol.md, section 2.2). The header alone says nothing of a connector that offers
 * subprotocols: asgi-cc sends it, and speaks 3.0 only.
 */
export function offeredBy(attempt: Attempt): ProtocolVersion[] {
  const { offers } = attempt
  const legacy = offers.length === 0 && attempt.req.headers['crankerprotocol'] === '1.0'
  const versions: ProtocolVersion[] = []
  if (offers.includes('cranker_3.0')) versions.push('3.0')
  if (offers.includes('cranker_1.0') || legacy) versions.push('1.0')
  return versions
}
