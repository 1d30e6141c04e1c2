/** The page docs/performance.md, and the same tables for the terminal. */
import { CONTESTANTS, TCP_CHAIN } from './contestants.mjs'
import { BYTES_PER_SECOND, DELAY_MS, TRANSFER_SECONDS } from './long-path.mjs'
import { judge, ratio, typical } from './summary.mjs'

/** @typedef {import('./rounds.mjs').Sample} Sample */

const digits = (/** @type {number | undefined} */ value, places = 1) =>
  value === undefined || Number.isNaN(value) ? '–' : value.toFixed(places)

/**
 * @typedef {{ head: string, text: (samples: readonly Sample[], id: string) => string }} Column
 * @type {(head: string, test: string, value: string, places?: number) => Column}
 */
const plain = (head, test, value, places) => ({
  head,
  text: (samples, id) => digits(typical(samples, id, test, value), places),
})
/** @type {(test: string, value: string) => Column} */
const relative = (test, value) => ({
  head: '× chain',
  text: (samples, id) => digits(ratio(samples, id, test, value), 2),
})

/** @type {(test: string) => Column[]} */
const smallColumns = (test) => [
  plain('requests/s', test, 'perSecond', 0),
  plain('p50 ms', test, 'p50', 2),
  plain('p99 ms', test, 'p99', 2),
  plain('µs CPU/request', test, 'cpu'),
  relative(test, 'cpu'),
  plain('RSS MiB', test, 'rss', 0),
]
/** @type {(test: string) => Column[]} */
const bulkColumns = (test) => [
  plain('MB/s', test, 'rate', 0),
  plain('CPU-s/GiB', test, 'cpu', 2),
  relative(test, 'cpu'),
  plain('RSS MiB', test, 'rss', 0),
]

/** @type {(test: string) => Column[]} */
const requestColumns = (test) => [
  plain('requests/s', test, 'perSecond', 0),
  plain('mean ms', test, 'mean', 2),
  plain('µs CPU/request', test, 'cpu'),
  relative(test, 'cpu'),
  plain('RSS MiB', test, 'rss', 0),
]
/** @type {(test: string, way: string) => Column[]} */
const longColumns = (test, way) => [
  plain(`MB/s ${way}`, test, 'rate', 2),
  {
    head: '× TCP',
    text: (samples, id) => digits(ratio(samples, id, test, 'rate', TCP_CHAIN), 2),
  },
]

/** @type {readonly { test: string, title: string, columns: readonly Column[] }[]} */
const TABLES = [
  { test: 'small64', title: 'Small requests, 64 connections', columns: smallColumns('small64') },
  { test: 'small1', title: 'Small requests, 1 connection', columns: smallColumns('small1') },
  { test: 'down', title: 'Large bodies, down', columns: bulkColumns('down') },
  { test: 'up', title: 'Large bodies, up', columns: bulkColumns('up') },
  {
    test: 'held',
    title: 'Held-open responses (server-sent events)',
    columns: [plain('KiB RSS/response', 'held', 'perResponse'), relative('held', 'perResponse')],
  },
  {
    test: 'beside',
    title: 'Small requests beside a download on the same tunnel socket',
    columns: [
      plain('p50 ms alone', 'alone', 'p50', 2),
      plain('p99 ms alone', 'alone', 'p99', 2),
      plain('p50 ms beside', 'beside', 'p50', 2),
      plain('p99 ms beside', 'beside', 'p99', 2),
      plain('download MB/s', 'beside', 'rate', 0),
    ],
  },
  { test: 'h2', title: 'Small requests over HTTP/2', columns: requestColumns('h2') },
  { test: 'grpc', title: 'gRPC, unary calls', columns: requestColumns('grpc') },
  {
    test: 'echo',
    title: 'WebSockets, echoes',
    columns: [
      plain('echoes/s', 'echo', 'perSecond', 0),
      plain('p50 ms', 'echo', 'p50', 2),
      plain('p99 ms', 'echo', 'p99', 2),
      plain('µs CPU/echo', 'echo', 'cpu'),
      relative('echo', 'cpu'),
    ],
  },
  {
    test: 'idle',
    title: 'WebSockets, idle',
    columns: [
      plain('held', 'idle', 'held', 0),
      plain('KiB RSS/WebSocket', 'idle', 'perSocket'),
      relative('idle', 'perSocket'),
    ],
  },
  {
    test: 'long-down',
    title: `A long path: ${2 * DELAY_MS} ms of round trip, ${BYTES_PER_SECOND / 1e6} MB/s each way`,
    columns: [
      ...longColumns('long-down', 'down'),
      ...longColumns('long-up', 'up'),
      plain('p50 ms beside', 'long-beside', 'p50'),
      plain('p99 ms beside', 'long-beside', 'p99'),
    ],
  },
]

/** @param {readonly Sample[]} samples */
export function tables(samples) {
  return TABLES.filter(({ test }) => samples.some((sample) => sample.test === test))
    .map(({ test, title, columns }) => {
      const rows = CONTESTANTS.filter(({ id }) => samples.some((sample) => sample.id === id && sample.test === test))
      return `## ${title}\n\n${table(
        ['', ...columns.map(({ head }) => head)],
        rows.map(({ id, label }) => [label, ...columns.map(({ text }) => text(samples, id))]),
      )}`
    })
    .join('\n\n')
}

/** A number that was bought with failures is worth nothing: say so. @param {readonly Sample[]} samples */
export function failures(samples) {
  const failed = samples.filter(({ values }) => (values['failed'] ?? 0) > 0)
  return failed
    .map(({ label, test, values }) => `**${values['failed']} requests failed**: ${label}, ${test}.\n`)
    .join('')
}

/** @param {readonly Sample[]} samples */
export function bars(samples) {
  const judged = judge(samples)
  if (judged.length === 0) return 'No bar was measured: they need nginx, the chain and cranker 3.0 over ws in one run.'
  return table(
    ['', 'bar', 'measured', '', ''],
    judged.map(({ text, unit, atLeast, limit, measured, holds }) => [
      text,
      `${atLeast ? '≥' : '≤'} ${limit}`,
      digits(measured, 2),
      unit,
      holds ? 'PASS' : 'FAIL',
    ]),
  )
}

/** Aligned as prettier does it. @param {readonly string[]} head @param {readonly (readonly string[])[]} rows */
function table(head, rows) {
  const widths = head.map((cell, i) => Math.max(3, cell.length, ...rows.map((row) => row[i].length)))
  const line = (/** @type {readonly string[]} */ cells) =>
    `| ${cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join(' | ')} |`
  const rule = `| ${widths.map((width, i) => (i === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`
  return [line(head), rule, ...rows.map(line)].join('\n')
}

/**
 * @param {readonly Sample[]} samples
 * @param {{ command: string, date: string, cores: number, plan: import('./rounds.mjs').Plan }} context
 */
export function page(samples, { command, date, cores, plan }) {
  return `# Performance

Written by \`${command}\` on ${date}: ${cores} cores, Node ${process.versions.node}, everything on one machine over loopback.
Absolute numbers are that machine's; the ratios are what to look at.

## What must hold

Cranker 3.0 over \`ws\`, router and connector together, against two nginx in a row: what two hops can cost. Over a long
path, against two plain TCP proxies.

${[bars(samples), failures(samples), tables(samples)].filter(Boolean).join('\n\n')}

## How it is measured

- Contestants run as processes of their own, and all take their turn in each of ${plan.rounds} rounds. A value is the median over
  rounds; a ratio is taken within a round, then the median.
- CPU is \`utime + stime\` of the proxy processes alone (router + connector, nginx + nginx, or the one plain proxy), over what the
  client counted as complete. Neither client nor origin is counted, except with an in-process target: there the service is
  part of the connector, so one hop is missing and the service's own work is in.
- nginx → nginx: one worker each, no logs, keep-alive to the next hop, no temporary files, no request buffering. The plain
  Node proxy is one hop of \`node:http\` and \`undici\`: what Node costs without a tunnel.
- Small requests: \`${plan.wrk === undefined ? 'autocannon' : 'wrk'}\`, ${plan.seconds} s a run, a 25-byte answer, after a warm-up: runs of 2 s until two of them bring the CPU per request down no further (20 s at most). RSS is that of the proxy processes after the run.
- Large bodies: ${plan.bulkMiB} MiB a run over one connection, counted by the receiving end.
- Held-open responses: fresh processes each round; ${plan.held} event streams are opened, each gets three events; growth of RSS per stream.
- Beside a download: one connection of small requests while another downloads without pause, with one tunnel socket
  (\`--window 1\`), so that both share it. On 1.0 each has a socket of its own.
- HTTP/2: \`h2load\`, 8 connections of 8 requests each, over TLS; the service and the way to it are those of the small
  requests. gRPC: the same with messages of 25 bytes, HTTP/2 on every hop (\`grpc_pass\` in nginx).
- WebSockets: 64 connections, each sends 64 bytes when the last ones have come back. Idle: fresh processes, growth of RSS
  per WebSocket that has carried one message; nginx holds as many as one worker may open files for.
- Long path: a relay between the two proxies delays each direction by ${DELAY_MS} ms and limits it to ${BYTES_PER_SECOND / 1e6} MB/s. Each transfer
  is as much as the path carries in ${TRANSFER_SECONDS} s, one tunnel socket; beside a download, 16 connections of small requests. One round.
- TLS, where a line says so, is between the two proxies only, with a certificate made for the run.
`
}
