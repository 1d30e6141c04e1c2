/** Requests over HTTP/2: small ones, whatever the way behind the public port, and gRPC calls, HTTP/2 all the way. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CHAIN } from './contestants.mjs'
import { FIELDS, MESSAGE, METHOD_PATH } from './grpc.mjs'
import { milliseconds } from './load.mjs'
import { cpuSeconds, freePort, installed, rssKiB } from './processes.mjs'
import { interleaved } from './rounds.mjs'

/**
 * @typedef {import('./contestants.mjs').Running} Running
 * @typedef {import('./rounds.mjs').Plan} Plan
 * @typedef {import('./rounds.mjs').Origins} Origins
 * @typedef {import('./rounds.mjs').Sample} Sample
 */

const CONTESTANTS = [CHAIN, '3.0-ws']
/** As many requests at once as with HTTP/1.1. */
const CLIENTS = 8
const STREAMS = 8

/** @type {(plan: Plan, origins: Origins) => Promise<Sample[]>} */
export async function http2(plan, { setting, small }) {
  const h2load = available(plan, setting, 'h2')
  if (h2load === undefined) return []
  return measured(plan, { ...setting, target: small, carries: 'h2' }, 'h2', ({ port }, seconds) =>
    load(h2load, { url: `https://127.0.0.1:${port}/`, seconds, args: [] }),
  )
}

/** @type {(plan: Plan, origins: Origins) => Promise<Sample[]>} */
export async function grpc(plan, { setting }) {
  const h2load = available(plan, setting, 'grpc')
  if (h2load === undefined) return []
  const target = await freePort()
  setting.processes.start(process.execPath, [fileURLToPath(new URL('grpc-origin.mjs', import.meta.url)), target])
  const message = join(setting.dir, 'message')
  writeFileSync(message, MESSAGE)
  const fields = Object.entries(FIELDS).flatMap(([name, value]) => ['-H', `${name}: ${value}`])
  return measured(plan, { ...setting, target, carries: 'grpc' }, 'grpc', ({ port }, seconds) =>
    load(h2load, { url: `https://127.0.0.1:${port}${METHOD_PATH}`, seconds, args: ['-d', message, ...fields] }),
  )
}

/**
 * @param {Plan} plan
 * @param {import('./contestants.mjs').Setting} setting
 * @param {string} part
 */
function available(plan, setting, part) {
  const h2load = installed('h2load')
  if (h2load !== undefined && setting.tls !== undefined) return h2load
  plan.say(`${part} is left out: it needs ${h2load === undefined ? 'h2load (nghttp2-client)' : 'openssl'}`)
  return undefined
}

/**
 * @param {Plan} plan
 * @param {import('./contestants.mjs').Setting} setting
 * @param {string} test
 * @param {(running: Running, seconds: number) => ReturnType<typeof load>} run
 */
function measured(plan, setting, test, run) {
  const measure = async (/** @type {Running} */ running) => {
    const before = cpuSeconds(running.pids)
    const { requests, perSecond, mean, failed } = await run(running, plan.seconds)
    const cpu = ((cpuSeconds(running.pids) - before) * 1e6) / requests
    return { perSecond, mean, cpu, failed, rss: rssKiB(running.pids) / 1024 }
  }
  return interleaved(plan, setting, CONTESTANTS, (running) => run(running, plan.seconds), { [test]: measure })
}

/**
 * @param {string} h2load
 * @param {{ url: string, seconds: number, args: readonly string[] }} options
 */
async function load(h2load, { url, seconds, args }) {
  const size = ['-t', '1', '-c', CLIENTS, '-m', STREAMS, '-D', seconds].map(String)
  const child = spawn(h2load, [...size, ...args, url], { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.on('data', (chunk) => (text += chunk))
  await once(child, 'close')
  const [, succeeded, failed, errored] = (/(\d+) succeeded, (\d+) failed, (\d+) errored/.exec(text) ?? []).map(Number)
  if (!(succeeded > 0)) throw new Error(`h2load has counted no request: ${text}`)
  return {
    requests: succeeded,
    perSecond: Number(/([\d.]+) req\/s/.exec(text)?.[1]),
    mean: milliseconds(/^time for request: +\S+ +\S+ +(\S+)/m.exec(text)?.[1]),
    failed: failed + errored,
  }
}
