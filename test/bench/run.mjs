/**
 * `npm run bench`: measures cranker beside plain Node and nginx → nginx, prints tables, and after a complete run
 * writes docs/performance.md.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { originConfig, startNginx } from './nginx.mjs'
import { PARTS } from './parts.mjs'
import { Processes, freePort, installed, ready } from './processes.mjs'
import { bars, failures, page, tables } from './report.mjs'
import { judge } from './summary.mjs'

const USAGE = `npm run bench -- [options]
  --quick              one short round: shows that the bench works, not how fast anything is
  --only a,b           parts: ${Object.keys(PARTS).join(', ')}
  --contestants a,b    chain, chain-tls, tcp, plain, 3.0-ws, 3.0-wss, 1.0-ws, 1.0-wss, 3.0-ws-in, 1.0-ws-in
  --rounds N           default 3
  --seconds N          of each run of small requests; default 3
  --bulk-mib N         size of large bodies; default 1024
  --held N             event streams held open; default 2000
  --idle N             WebSockets held open; default 10000
  --json               samples and bars as JSON on stdout instead of tables
  --check              exit status 1 if a bar does not hold
docs/performance.md is written when nothing was left out.
`

async function main() {
  const { values } = parseArgs({
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      contestants: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      'bulk-mib': { type: 'string' },
      held: { type: 'string' },
      idle: { type: 'string' },
      json: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help) {
    process.stdout.write(USAGE)
    return
  }
  const parts = values.only?.split(',') ?? Object.keys(PARTS)
  for (const part of parts)
    if (!(part in PARTS)) throw new Error(`--only ${part}: one of ${Object.keys(PARTS).join(', ')}`)
  const chosen = values.contestants?.split(',')
  const size = (/** @type {string | undefined} */ given, /** @type {number} */ full, /** @type {number} */ quick) =>
    given === undefined ? (values.quick ? quick : full) : positive(given)
  /** @type {import('./rounds.mjs').Plan} */
  const plan = {
    quick: values.quick,
    rounds: size(values.rounds, 3, 1),
    seconds: size(values.seconds, 3, 1),
    bulkMiB: size(values['bulk-mib'], 1024, 16),
    held: size(values.held, 2000, 100),
    idle: size(values.idle, 10_000, 200),
    wrk: installed('wrk'),
    chosen: (id) => chosen?.includes(id) ?? true,
    say: (line) => process.stderr.write(`${line}\n`),
  }
  const samples = await measure(plan, parts)
  const judged = judge(samples)
  if (values.json) process.stdout.write(`${JSON.stringify({ samples, bars: judged }, undefined, 2)}\n`)
  else process.stdout.write(`\n${tables(samples)}\n\n${failures(samples)}## Bars\n\n${bars(samples)}\n`)

  if (!values.quick && values.only === undefined && chosen === undefined) {
    const context = {
      command: ['npm run bench', process.argv.slice(2).join(' ')].filter(Boolean).join(' -- '),
      date: new Date().toISOString().slice(0, 10),
      cores: availableParallelism(),
      plan,
    }
    writeFileSync(fileURLToPath(new URL('../../docs/performance.md', import.meta.url)), page(samples, context))
  }
  if (values.check && judged.some(({ holds }) => !holds)) process.exitCode = 1
}

/** @param {string} text */
function positive(text) {
  const number = Number(text)
  if (!Number.isInteger(number) || number < 1) throw new Error(`a whole number from 1 was expected, not ${text}`)
  return number
}

/**
 * @param {import('./rounds.mjs').Plan} plan
 * @param {readonly string[]} parts
 */
async function measure(plan, parts) {
  const dir = mkdtempSync(join(tmpdir(), 'cranker-bench-'))
  const origin = new Processes()
  const processes = new Processes()
  const stop = async () => {
    await Promise.all([processes.stop(), origin.stop()])
    rmSync(dir, { recursive: true, force: true })
  }
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void stop().then(() => process.exit(1)))
  try {
    const nginx = installed('nginx')
    const node = await freePort()
    origin.start(process.execPath, [fileURLToPath(new URL('origin.mjs', import.meta.url)), node])
    await ready(node)
    const small = nginx === undefined ? node : await fastOrigin(origin, nginx, dir, plan)
    const setting = { processes, dir, nginx, tls: certificate(dir), target: node, routerArgs: [], connectorArgs: [] }
    const samples = []
    for (const part of parts) samples.push(...(await PARTS[part](plan, { setting, small, node })))
    return samples
  } finally {
    await stop()
  }
}

/**
 * nginx answers faster than Node, so the proxies stay what is measured. The large body is a file of holes.
 * @param {Processes} origin
 * @param {string} nginx
 * @param {string} dir
 * @param {import('./rounds.mjs').Plan} plan
 */
async function fastOrigin(origin, nginx, dir, plan) {
  const port = await freePort()
  writeFileSync(join(dir, 'big'), '')
  truncateSync(join(dir, 'big'), plan.bulkMiB * 1024 ** 2)
  startNginx(origin, nginx, join(dir, 'origin'), originConfig({ port, bigDir: dir }))
  await ready(port)
  return port
}

/** A self-signed certificate for the wss columns; they are left out without openssl. @param {string} dir */
function certificate(dir) {
  if (installed('openssl') === undefined) return undefined
  const [cert, key] = [join(dir, 'cert.pem'), join(dir, 'key.pem')]
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
      ...[
        '-subj',
        '/CN=localhost',
        '-addext',
        'subjectAltName=DNS:localhost,IP:127.0.0.1',
        '-keyout',
        key,
        '-out',
        cert,
      ],
    ],
    { stdio: 'ignore' },
  )
  return { cert, key }
}

await main().catch((error) => {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
})
