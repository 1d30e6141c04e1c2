/** The measurements. */
import { get } from 'node:http'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { grpc, http2 } from './http2.mjs'
import { download, holdOpen, smallRequests, upload } from './load.mjs'
import { longPath } from './long-path.mjs'
import { cpuSeconds, rssKiB } from './processes.mjs'
import { interleaved } from './rounds.mjs'
import { idle, websocket } from './websocket.mjs'

/**
 * @typedef {import('./rounds.mjs').Sample} Sample
 * @typedef {import('./rounds.mjs').Plan} Plan
 * @typedef {import('./rounds.mjs').Origins} Origins
 * @typedef {import('./contestants.mjs').Running} Running
 */

const GIB = 1024 ** 3
const MIB = 1024 ** 2
/** A contestant is warm when two such runs in a row, on connections of their own, cost no less than those before… */
const WARM_UP_SECONDS = 2
/** …by more than noise, or after so many: V8 compiles anew what it meets for the first time, such as connections that end. */
const WARM_UP_RUNS = 10
const NOISE = 0.05

const URL_TARGETS = ['3.0-ws', '3.0-wss', '1.0-ws', '1.0-wss']
const REFERENCES = ['chain', 'chain-tls', 'plain']
const IN_PROCESS = ['3.0-ws-in', '1.0-ws-in']
const EVERYBODY = [...REFERENCES, ...URL_TARGETS, ...IN_PROCESS]

/** @type {Record<string, (plan: Plan, origins: Origins) => Promise<Sample[]>>} */
export const PARTS = { small, bulk, held, beside, h2: http2, grpc, websocket, idle, long: longPath }

/** @type {(plan: Plan, origins: Origins) => Promise<Sample[]>} */
function small(plan, { setting, small: target }) {
  const { seconds, wrk } = plan
  const at =
    (/** @type {number} */ connections) =>
    async (/** @type {Running} */ { port, pids }) => {
      const before = cpuSeconds(pids)
      const { requests, perSecond, p50, p99, failed } = await smallRequests({ port, connections, seconds, wrk })
      const cpu = ((cpuSeconds(pids) - before) * 1e6) / requests
      return { perSecond, p50, p99, cpu, failed, rss: rssKiB(pids) / 1024 }
    }
  const warmUp = async (/** @type {Running} */ { port, pids }) => {
    let least = Infinity
    for (let run = 0, calm = 0; run < (plan.quick ? 1 : WARM_UP_RUNS) && calm < 2; run++) {
      const before = cpuSeconds(pids)
      const { requests } = await smallRequests({ port, connections: 64, seconds: WARM_UP_SECONDS, wrk })
      const cpu = (cpuSeconds(pids) - before) / requests
      calm = cpu > least * (1 - NOISE) ? calm + 1 : 0
      least = Math.min(least, cpu)
    }
  }
  // Short runs, and noisy ones: two more rounds steady the median.
  const rounds = plan.rounds === 1 ? 1 : plan.rounds + 2
  return interleaved({ ...plan, rounds }, { ...setting, target }, EVERYBODY, warmUp, { small64: at(64), small1: at(1) })
}

/** @type {(plan: Plan, origins: Origins) => Promise<Sample[]>} */
async function bulk(plan, { setting, small: fast, node }) {
  const bytes = plan.bulkMiB * MIB
  const one =
    (/** @type {typeof upload} */ transfer) =>
    async (/** @type {Running} */ { port, pids }) => {
      const before = cpuSeconds(pids)
      const { seconds } = await transfer({ port, bytes })
      const cpu = ((cpuSeconds(pids) - before) * GIB) / bytes
      return { rate: bytes / 1e6 / seconds, cpu, rss: rssKiB(pids) / 1024 }
    }
  const warm =
    (/** @type {typeof upload} */ transfer) =>
    ({ port }) =>
      transfer({ port, bytes })
  const down = await interleaved(plan, { ...setting, target: fast }, EVERYBODY, warm(download), { down: one(download) })
  const up = await interleaved(plan, { ...setting, target: node }, EVERYBODY, warm(upload), { up: one(upload) })
  return [...down, ...up]
}

/**
 * Fresh processes each round: memory that a process has once taken is rarely given back. On 1.0 each response would
 * hold a socket of its own, beyond the 1,000 that one connector may register.
 * @type {(plan: Plan, origins: Origins) => Promise<Sample[]>}
 */
async function held(plan, { setting, node }) {
  const { held: count } = plan
  // 256 exchanges a socket is the default; so many sockets are a setting that an operator of 2,000 streams would choose.
  const connectorArgs = [
    '--window',
    String(Math.ceil(count / 256) + 1),
    '--target-max-connections',
    String(count + 100),
  ]
  const fresh = { ...setting, target: node, connectorArgs }
  const measure = async (/** @type {Running} */ { port, pids }) => {
    const before = rssKiB(pids)
    const streams = await holdOpen({ port, count })
    for (const events of [2, 3]) {
      await tick(node)
      await streams.everybodyHas(events)
    }
    await sleep(1_000)
    const perResponse = (rssKiB(pids) - before) / count
    streams.close()
    return { perResponse }
  }
  const warmUp = async (/** @type {Running} */ { port }) => {
    const streams = await holdOpen({ port, count: 50 })
    streams.close()
    await sleep(500)
  }
  const samples = []
  for (let round = 1; round <= plan.rounds; round++) {
    const ids = ['chain', 'plain', ...URL_TARGETS.filter((id) => id.startsWith('3.0'))]
    const part = await interleaved({ ...plan, rounds: 1 }, fresh, ids, warmUp, { held: measure })
    samples.push(...part.map((sample) => ({ ...sample, round })))
  }
  return samples
}

/** One more event on every open stream. @param {number} port of the origin */
async function tick(port) {
  const [response] = await once(get({ host: '127.0.0.1', port, path: '/tick', agent: false }), 'response')
  response.resume()
  await once(response, 'end')
}

/**
 * One client's small requests while another downloads, both on the only tunnel socket.
 * @type {(plan: Plan, origins: Origins) => Promise<Sample[]>}
 */
function beside(plan, { setting, small: target }) {
  const { seconds, wrk } = plan
  const bytes = plan.bulkMiB * MIB
  const alone = async (/** @type {Running} */ { port }) => {
    const { p50, p99, failed } = await smallRequests({ port, connections: 1, seconds, wrk })
    return { p50, p99, failed }
  }
  const together = async (/** @type {Running} */ { port }) => {
    const stop = new AbortController()
    const start = performance.now()
    let received = 0
    const downloads = (async () => {
      while (!stop.signal.aborted) received += (await download({ port, bytes, stop: stop.signal })).bytes
    })()
    const { p50, p99, failed } = await smallRequests({ port, connections: 1, seconds, wrk })
    stop.abort()
    await downloads
    return { p50, p99, failed, rate: received / 1e3 / (performance.now() - start) }
  }
  return interleaved(
    plan,
    { ...setting, target, connectorArgs: ['--window', '1'] },
    ['chain', 'plain', '3.0-ws', '3.0-wss'],
    alone,
    { alone, beside: together },
  )
}
