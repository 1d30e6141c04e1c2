/**
 * docs/interop.md. What stands in a cell is what the suite holds the peers against, so the page is true as long as the
 * suite passes; a peer that cannot be run here keeps its column.
 */
import { connectorCases } from '../../check/connector/cases.js'
import { type KnownPeer, knownPeers } from '../../check/like.js'
import { routerCases } from '../../check/router/cases.js'
import { type CaseId, cases, casesOf } from './cases/index.js'
import type { Case } from './cases/case.js'
import { type Column, connectorColumns, heading, routerColumns } from './columns.js'
import { type ExpectedFailure, expectedFailure } from './expected.js'
import type { ConnectorPeer, RouterPeer } from './peer.js'

export interface Peers<T> {
  /** Programs of others, installed by name. */
  readonly real: readonly T[]
  /** Scripted, in their place. */
  readonly standIns: readonly T[]
}

const INTRODUCTION = `# Who works with whom

What our router and our connector can do with the published peers: each cell is a test that runs the two together, in
\`test/interop/\`. This page is written by it (\`npm run docs:interop\`), and a cell that is not true any more breaks the
build, in either direction.

- ✓ works. ✗ does not, by the peer's own fault; the number says why. (✓) works, but not always, for the reason given.
  – says nothing about this peer.
- The number behind a name is the protocol version; *both*: the connector offered 3.0 and 1.0.
- A peer with an asterisk is a stand-in: it could not be installed by name, and a script behaves as it does, faults
  included (\`test/support/peers/\`). The others are the published programs, each in a process of its own.
- A peer whose tools are missing on the machine is skipped, and keeps its column.
`

const KIT = `## What \`cranker check\` finds

Our own router and connector pass every case of [cranker check](check.md). Of the published programs, each of which is
run against it too, these are the cases that fail; all others pass, or are about extensions that it does not announce.
`

export function renderPage(routers: Peers<RouterPeer>, connectors: Peers<ConnectorPeer>): string {
  const notes = new Map<string, number>()
  const standIns = new Set<string>([...routers.standIns, ...connectors.standIns].map(({ title }) => title))
  const connectorTable = table(connectorColumns([...connectors.real, ...connectors.standIns]), standIns, notes)
  const routerTable = table(routerColumns([...routers.real, ...routers.standIns]), standIns, notes)
  return [
    INTRODUCTION,
    '## Our router with their connectors\n',
    legend([...connectors.real, ...connectors.standIns]),
    connectorTable,
    '## Our connector with their routers\n',
    legend([...routers.real, ...routers.standIns]),
    routerTable,
    '## Why not\n',
    [...notes].map(([reason, number]) => `${number}. ${reason}`).join('\n'),
    '',
    KIT,
    ...Object.entries(knownPeers).map(([word, peer]) => deviations(word, peer)),
  ].join('\n')
}

/** What `--like` expects of a peer; `test/conformance-kit/` holds it against the program. */
function deviations(word: string, { title, role, deviations: known, sometimes = {} }: KnownPeer): string {
  const all: readonly { readonly id: string; readonly title: string }[] =
    role === 'connector' ? connectorCases : routerCases
  const unsteady = Object.entries(sometimes).map(([id, reason]) => [id, `${reason} (sometimes)`] as const)
  const rows = [...Object.entries(known), ...unsteady].map(([id, reason]) => {
    const [number, version] = id.split('@')
    const subject = all.find((one) => one.id === number)?.title ?? ''
    return `| ${number ?? ''} | ${version ?? ''} | ${subject.replaceAll('|', '\\|')} | ${reason} |`
  })
  return [
    `### ${title}: \`--like ${word}\`\n`,
    '| Case | Only over | It should | It |',
    '|---|---|---|---|',
    ...rows,
    '',
  ].join('\n')
}

function legend(peers: readonly (RouterPeer | ConnectorPeer)[]): string {
  return `${peers.map(({ name, title }) => `- **${name}** ${title}`).join('\n')}\n`
}

function table(columns: readonly Column[], standIns: ReadonlySet<string>, notes: Map<string, number>): string {
  const star = (column: Column): string => (standIns.has(column.peer.title) ? `${heading(column)}*` : heading(column))
  const rows = casesOf(cases, (each) => columns.some((column) => each.only?.(column) ?? true)).map(([id, each]) => [
    each.name.replaceAll('|', '\\|'),
    ...columns.map((column) => cell(column, id, each, notes)),
  ])
  const lines = [['', ...columns.map(star)], ['---', ...columns.map(() => ':-:')], ...rows]
  return `${lines.map((line) => `| ${line.join(' | ')} |`).join('\n')}\n`
}

function cell(column: Column, id: CaseId, each: Case, notes: Map<string, number>): string {
  if (each.only !== undefined && !each.only(column)) return '–'
  const failure = expectedFailure(column, id)
  if (failure === undefined) return '✓'
  return `${failure.sometimes === true ? '(✓)' : '✗'} ${note(failure, notes)}`
}

function note({ reason }: ExpectedFailure, notes: Map<string, number>): number {
  const number = notes.get(reason) ?? notes.size + 1
  notes.set(reason, number)
  return number
}
