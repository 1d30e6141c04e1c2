/** WebSockets: what an echo costs, and what one costs in which nothing happens. */
import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { CHAIN } from './contestants.mjs'
import { cpuSeconds, openFiles, rssKiB } from './processes.mjs'
import { interleaved } from './rounds.mjs'

/**
 * @typedef {import('./contestants.mjs').Running} Running
 * @typedef {import('./rounds.mjs').Plan} Plan
 * @typedef {import('./rounds.mjs').Origins} Origins
 * @typedef {import('./rounds.mjs').Sample} Sample
 */

/** Echoes at once, one per connection. */
const CONNECTIONS = 64
/** Opened at once. */
const BATCH = 50
/** Files that a process needs besides the WebSockets. */
const OTHER_FILES = 200
/** As long as nobody has said anything, a contestant that has failed would not be told from one that waits. */
const STALLED_MS = 20_000

/** A binary message of 64 bytes, masked with zeros (RFC 6455 §5.2), and its echo. */
const MESSAGE = Buffer.concat([Buffer.from([0x82, 0x80 | 64, 0, 0, 0, 0]), Buffer.alloc(64, 'm')])
const ECHO_BYTES = 2 + 64

const REQUEST = [
  'GET / HTTP/1.1',
  'Host: bench',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  '\r\n',
].join('\r\n')

/** @type {(plan: Plan, origins: Origins) => Promise<Sample[]>} */
export function websocket(plan, { setting, node }) {
  const run = async (/** @type {Running} */ { port, pids }, seconds = 1) => {
    const sockets = await open(port, CONNECTIONS)
    const before = cpuSeconds(pids)
    const times = await echoes(sockets, seconds)
    const cpu = ((cpuSeconds(pids) - before) * 1e6) / times.length
    for (const socket of sockets) socket.destroy()
    const at = (/** @type {number} */ part) => times[Math.floor(times.length * part)]
    return { perSecond: times.length / seconds, p50: at(0.5), p99: at(0.99), cpu }
  }
  const echo = (/** @type {Running} */ running) => run(running, plan.seconds)
  const contestants = [CHAIN, '3.0-ws', '1.0-ws']
  // On 1.0 each WebSocket has a tunnel socket of its own.
  const connectorArgs = ['--max-window', String(2 * CONNECTIONS)]
  return interleaved(plan, { ...setting, target: node, carries: 'websocket', connectorArgs }, contestants, run, {
    echo,
  })
}

/**
 * Growth of memory per WebSocket that has carried one message and is silent. Only on 3.0: on 1.0 each would have a
 * tunnel socket of its own, beyond the 1,000 that one connector may register.
 * @type {(plan: Plan, origins: Origins) => Promise<Sample[]>}
 */
export async function idle(plan, { setting, node }) {
  const { idle: count } = plan
  if (openFiles < count + OTHER_FILES) {
    plan.say(`idle is left out: a process may open ${openFiles} files, of ${count + OTHER_FILES} (ulimit -n)`)
    return []
  }
  // As in `held`: as many sockets as so many exchanges need.
  const connectorArgs = ['--window', String(Math.ceil(count / 256) + 1)]
  const measure = async (/** @type {Running} */ { id, port, pids }) => {
    // In nginx each takes two files of the one worker, which cuts connections when a sixteenth is left.
    const held = id === CHAIN ? Math.min(count, Math.floor(openFiles * 0.4)) : count
    const before = rssKiB(pids)
    const sockets = await open(port, held)
    await Promise.all(sockets.map(echoOnce))
    await sleep(1_000)
    const perSocket = (rssKiB(pids) - before) / held
    for (const socket of sockets) socket.destroy()
    return { held, perSocket }
  }
  const warmUp = async (/** @type {Running} */ { port }) => {
    const sockets = await open(port, BATCH)
    await Promise.all(sockets.map(echoOnce))
    for (const socket of sockets) socket.destroy()
    await sleep(500)
  }
  const fresh = { ...setting, target: node, carries: /** @type {const} */ ('websocket'), connectorArgs }
  return interleaved({ ...plan, rounds: 1 }, fresh, [CHAIN, '3.0-ws'], warmUp, { idle: measure })
}

/**
 * Connections on which the 101 has come.
 * @param {number} port
 * @param {number} count
 */
async function open(port, count) {
  /** @type {import('node:net').Socket[]} */
  const sockets = []
  while (sockets.length < count) {
    const batch = Array.from({ length: Math.min(BATCH, count - sockets.length) }, () => accepted(port))
    sockets.push(...(await Promise.all(batch)))
  }
  return sockets
}

/** @param {number} port */
async function accepted(port) {
  const socket = connect({ host: '127.0.0.1', port, noDelay: true })
  socket.write(REQUEST)
  socket.setTimeout(STALLED_MS, () => socket.destroy(new Error('a WebSocket is not answered')))
  const [head] = await once(socket, 'data')
  if (!head.toString('latin1').startsWith('HTTP/1.1 101 ')) throw new Error(head.toString('latin1', 0, 80))
  socket.setTimeout(0)
  return socket
}

/** @param {import('node:net').Socket} socket */
async function echoOnce(socket) {
  socket.write(MESSAGE)
  for (let bytes = 0; bytes < ECHO_BYTES;) bytes += (await once(socket, 'data'))[0].length
}

/**
 * Each connection sends its next message when the echo has come. Returns how long the echoes took, ms, sorted.
 * @param {readonly import('node:net').Socket[]} sockets
 * @param {number} seconds
 */
async function echoes(sockets, seconds) {
  const until = performance.now() + seconds * 1_000
  /** @type {number[]} */
  const times = []
  const one = (/** @type {import('node:net').Socket} */ socket) =>
    new Promise((resolve, reject) => {
      let bytes = 0
      let at = performance.now()
      socket.setTimeout(STALLED_MS, () => reject(new Error('an echo has not come')))
      socket.on('close', () => reject(new Error('a WebSocket has ended early')))
      socket.on('data', (chunk) => {
        bytes += chunk.length
        if (bytes < ECHO_BYTES) return
        bytes -= ECHO_BYTES
        const now = performance.now()
        times.push(now - at)
        at = now
        if (now < until) socket.write(MESSAGE)
        else resolve(undefined)
      })
      socket.write(MESSAGE)
    })
  await Promise.all(sockets.map(one))
  return Float64Array.from(times).sort()
}
