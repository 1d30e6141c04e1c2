/** The clients. Their CPU time is never counted. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'

/** A contestant that moves no byte for so long has failed: an error is better than a bench that hangs. */
const STALLED_MS = 20_000

/** @param {import('node:net').Socket} socket */
function failWhenStalled(socket) {
  socket.setTimeout(STALLED_MS, () => socket.destroy(new Error(`nothing has moved for ${STALLED_MS / 1000} s`)))
}

/**
 * @typedef {object} SmallResult
 * @property {number} requests
 * @property {number} perSecond
 * @property {number} p50 in ms
 * @property {number} p99 in ms
 * @property {number} failed
 */

/**
 * Small GETs over keep-alive connections, with wrk where it is installed.
 * @param {{ port: number, connections: number, seconds: number, wrk: string | undefined }} options
 * @returns {Promise<SmallResult>}
 */
export async function smallRequests(options) {
  return options.wrk === undefined ? withAutocannon(options) : withWrk(options.wrk, options)
}

/**
 * @param {string} wrk
 * @param {{ port: number, connections: number, seconds: number }} options
 */
async function withWrk(wrk, { port, connections, seconds }) {
  const args = ['-t1', `-c${connections}`, `-d${seconds}s`, '--latency', `http://127.0.0.1:${port}/`]
  const child = spawn(wrk, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.on('data', (chunk) => (text += chunk))
  await once(child, 'close')
  const number = (/** @type {RegExp} */ pattern) => Number(pattern.exec(text)?.[1] ?? 0)
  const requests = number(/(\d+) requests in/)
  if (requests === 0) throw new Error(`wrk has counted no request: ${text}`)
  const errors = /Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)/.exec(text)?.slice(1) ?? []
  return {
    requests,
    perSecond: number(/Requests\/sec:\s+([\d.]+)/),
    p50: milliseconds(/^\s+50%\s+(\S+)/m.exec(text)?.[1]),
    p99: milliseconds(/^\s+99%\s+(\S+)/m.exec(text)?.[1]),
    failed: errors.reduce((sum, n) => sum + Number(n), number(/Non-2xx or 3xx responses: (\d+)/)),
  }
}

/** @param {string | undefined} text as wrk and h2load write it: 12.3us, 4.5ms, 1.2s */
export function milliseconds(text = '') {
  const [, value, unit] = /^([\d.]+)(us|ms|s|m)$/.exec(text) ?? []
  const factor = { us: 0.001, ms: 1, s: 1000, m: 60_000 }[unit ?? '']
  return factor === undefined ? NaN : Number(value) * factor
}

/** @param {{ port: number, connections: number, seconds: number }} options */
async function withAutocannon({ port, connections, seconds }) {
  const { default: autocannon } = await import('autocannon')
  const result = await autocannon({ url: `http://127.0.0.1:${port}/`, connections, duration: seconds })
  return {
    requests: result.requests.total,
    perSecond: result.requests.average,
    p50: result.latency.p50,
    p99: result.latency.p99,
    failed: result.errors + result.timeouts + result.non2xx,
  }
}

/**
 * One large download, through one reused read buffer. `bytes` and `seconds`, or an error if it was not whole.
 * `stop` ends it early, whole or not.
 * @param {{ port: number, bytes: number, stop?: AbortSignal }} options
 */
export async function download({ port, bytes, stop }) {
  const start = performance.now()
  let received = 0
  let bodyAt = -1
  const reading = { buffer: Buffer.allocUnsafe(256 * 1024), callback }
  const socket = connect({ host: '127.0.0.1', port, onread: reading })
  failWhenStalled(socket)
  const abort = () => socket.destroy()
  stop?.addEventListener('abort', abort)
  function callback(/** @type {number} */ length, /** @type {Uint8Array} */ buffer) {
    if (bodyAt < 0) {
      const head = Buffer.from(buffer.buffer, buffer.byteOffset, length)
      if (!head.subarray(9, 12).equals(Buffer.from('200'))) socket.destroy(new Error(head.toString('latin1', 0, 80)))
      bodyAt = head.indexOf('\r\n\r\n') + 4
      received -= bodyAt
    }
    received += length
    if (received >= bytes) socket.end()
    return true
  }
  socket.write(`GET /big?${bytes} HTTP/1.1\r\nHost: bench\r\n\r\n`)
  await once(socket, 'close')
  stop?.removeEventListener('abort', abort)
  if (received !== bytes && stop?.aborted !== true) throw new Error(`download: ${received} of ${bytes} bytes`)
  return { bytes: received, seconds: (performance.now() - start) / 1000 }
}

/**
 * One large upload; the sink's answer is the number of bytes it has seen.
 * @param {{ port: number, bytes: number }} options
 */
export async function upload({ port, bytes }) {
  const start = performance.now()
  const socket = connect({ host: '127.0.0.1', port })
  failWhenStalled(socket)
  const block = Buffer.alloc(256 * 1024)
  let left = bytes
  let answer = ''
  const more = () => {
    while (left > 0) {
      const part = left < block.length ? block.subarray(0, left) : block
      left -= part.length
      if (!socket.write(part)) return
    }
    socket.off('drain', more)
  }
  socket.on('data', (chunk) => {
    answer += chunk.toString('latin1')
    if (answer.endsWith(`\r\n\r\n${bytes}`)) socket.end()
  })
  socket.on('drain', more)
  socket.write(`POST /sink HTTP/1.1\r\nHost: bench\r\nContent-Length: ${bytes}\r\n\r\n`)
  more()
  await once(socket, 'close')
  if (!answer.endsWith(`\r\n\r\n${bytes}`)) throw new Error(`upload of ${bytes} bytes: ${answer.slice(0, 200)}`)
  return { bytes, seconds: (performance.now() - start) / 1000 }
}

/**
 * Opens `count` event streams and resolves when each has had its first event.
 * @param {{ port: number, count: number }} options
 */
export async function holdOpen({ port, count }) {
  /** Opened at once; all 2,000 would only measure the listen queue. */
  const BATCH = 50
  /** @type {Client[]} */
  const clients = []
  for (let opened = 0; opened < count; opened += BATCH) {
    const batch = Array.from({ length: Math.min(BATCH, count - opened) }, () => new Client(port))
    clients.push(...batch)
    await Promise.all(batch.map((client) => client.saw('opened')))
  }
  return {
    /** @param {number} events how many each must have got */
    everybodyHas: (events) => Promise.all(clients.map((client) => client.has(events))),
    close: () => clients.forEach((client) => client.close()),
  }
}

class Client {
  #text = ''
  #socket
  /** @type {() => void} */
  #notify = () => undefined

  /** @param {number} port */
  constructor(port) {
    this.#socket = connect({ host: '127.0.0.1', port })
    this.#socket.on('timeout', () => this.#socket.destroy())
    this.#socket.on('data', (chunk) => {
      this.#text += chunk.toString('latin1')
      this.#notify()
    })
    this.#socket.on('error', () => this.#notify())
    this.#socket.on('close', () => this.#notify())
    this.#socket.write('GET /events HTTP/1.1\r\nHost: bench\r\n\r\n')
  }

  /** @param {string} word */
  saw(word) {
    return this.#until(() => this.#text.includes(word))
  }

  /** @param {number} events */
  has(events) {
    return this.#until(() => this.#text.split('data: ').length - 1 >= events)
  }

  close() {
    this.#socket.destroy()
  }

  /** @param {() => boolean} done */
  async #until(done) {
    // Between events a stream may be silent for as long as it likes.
    this.#socket.setTimeout(STALLED_MS)
    while (!done()) {
      if (this.#socket.destroyed) throw new Error(`an event stream has ended early: ${this.#text.slice(0, 300)}`)
      await new Promise((resolve) => (this.#notify = () => resolve(undefined)))
    }
    this.#socket.setTimeout(0)
  }
}
