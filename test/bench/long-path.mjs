/** Large bodies, and small requests beside them, where router and connector are far from each other. */
import { setTimeout as sleep } from 'node:timers/promises'
import { TCP_CHAIN } from './contestants.mjs'
import { download, smallRequests, upload } from './load.mjs'
import { cpuSeconds, rssKiB } from './processes.mjs'
import { interleaved } from './rounds.mjs'

/**
 * @typedef {import('./contestants.mjs').Running} Running
 * @typedef {import('./rounds.mjs').Plan} Plan
 */

/** Each way. */
export const DELAY_MS = 50
/** Each way: 100 Mbit/s, so that the path holds 1.25 MB per round trip. */
export const BYTES_PER_SECOND = 12_500_000
/** What a transfer takes, about: long enough for what is lost at its beginning to be small. */
export const TRANSFER_SECONDS = 8
/** After so long a download has found the rate of the path, whoever carries it. */
const FLOWING_SECONDS = 2
const CONTESTANTS = [TCP_CHAIN, '3.0-ws', '1.0-ws']
/** Connections of small requests: enough of them for a 99th percentile in a few seconds. */
const CONNECTIONS = 16

/** @type {(plan: Plan, origins: import('./rounds.mjs').Origins) => Promise<import('./rounds.mjs').Sample[]>} */
export function longPath(plan, { setting, node }) {
  const { wrk } = plan
  const path = { delayMs: DELAY_MS, bytesPerSecond: BYTES_PER_SECOND }
  const seconds = plan.quick ? 1 : TRANSFER_SECONDS
  const bytes = seconds * BYTES_PER_SECOND
  const one =
    (/** @type {typeof upload} */ transfer) =>
    async (/** @type {Running} */ { port, pids }) => {
      const before = cpuSeconds(pids)
      const { seconds: took } = await transfer({ port, bytes })
      return { rate: bytes / 1e6 / took, cpu: cpuSeconds(pids) - before, rss: rssKiB(pids) / 1024 }
    }
  const small = (/** @type {Running} */ { port }, seconds = 1) =>
    smallRequests({ port, connections: CONNECTIONS, seconds, wrk })
  const beside = async (/** @type {Running} */ running) => {
    const stop = new AbortController()
    const enough = (FLOWING_SECONDS + plan.seconds + 1) * BYTES_PER_SECOND
    const flowing = download({ port: running.port, bytes: enough, stop: stop.signal })
    await sleep(FLOWING_SECONDS * 1_000)
    const { p50, p99, failed } = await small(running, plan.seconds)
    stop.abort()
    await flowing
    return { p50, p99, failed }
  }
  // One round: the path is what limits, not the machine.
  const once = { ...plan, rounds: 1 }
  return interleaved(once, { ...setting, target: node, path, connectorArgs: ['--window', '1'] }, CONTESTANTS, small, {
    'long-down': one(download),
    'long-up': one(upload),
    'long-beside': beside,
  })
}
