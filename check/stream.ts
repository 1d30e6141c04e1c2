/** Connections as bytes, and the head of the first answer on them. */
import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { CheckFailure, shown } from './case.js'

export interface ConnectOptions {
  /** Accept any certificate. */
  readonly insecure: boolean
  /** What the other side ends stays open for writing. Default false. */
  readonly allowHalfOpen?: boolean
}

/** A head that is longer than this is no answer. */
const MAX_HEAD_BYTES = 65_536
const SECURE = ['wss:', 'https:']

/** A connection to the host of `url`, by TLS where its scheme says so. */
export function connect(url: URL, { insecure, allowHalfOpen = false }: ConnectOptions): Socket {
  const secure = SECURE.includes(url.protocol)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const port = Number(url.port || (secure ? 443 : 80))
  const to = { host, port, noDelay: true, allowHalfOpen }
  return secure
    ? connectTls({ ...to, servername: host, rejectUnauthorized: !insecure, ALPNProtocols: ['http/1.1'] })
    : connectTcp(to)
}

/** Reads the first head, and stops behind it. @throws CheckFailure "expected {what}" */
export function readHead(stream: Socket, what: string, timeout: number): Promise<{ head: string; rest: Buffer }> {
  return new Promise((resolve, reject) => {
    let bytes = Buffer.alloc(0)
    const done = (): void => {
      clearTimeout(timer)
      stream.removeAllListeners('data').removeAllListeners('error').removeAllListeners('end')
      stream.pause()
      // Until somebody listens again.
      stream.once('error', () => {})
    }
    const fail = (actual: string): void => {
      done()
      reject(new CheckFailure(what, actual))
    }
    const timer = setTimeout(() => fail(`none came within ${String(timeout)} ms`), timeout)
    stream.on('error', (error) => fail(error.message))
    stream.on('end', () => fail('the connection ended'))
    stream.on('data', (chunk: Buffer) => {
      bytes = Buffer.concat([bytes, chunk])
      const end = bytes.indexOf('\r\n\r\n')
      if (end === -1 && bytes.length <= MAX_HEAD_BYTES) return
      if (end === -1) return fail('its head does not end')
      done()
      resolve({ head: bytes.toString('latin1', 0, end), rest: bytes.subarray(end + 4) })
    })
  })
}

export function parseHead(head: string): { status: number; headers: (readonly [string, string])[] } {
  const [first = '', ...rest] = head.split('\r\n')
  const status = /^HTTP\/1\.1 (\d{3})(?: |$)/.exec(first)?.[1]
  if (status === undefined) throw new CheckFailure('an HTTP/1.1 status line', shown(first))
  const headers = rest.map((line) => {
    const colon = line.indexOf(':')
    return [line.slice(0, Math.max(colon, 0)), line.slice(colon + 1).trim()] as const
  })
  return { status: Number(status), headers }
}

/** A head for a transcript. */
export function oneLine(head: string): string {
  return head.trimEnd().replaceAll('\r\n', ' ⏎ ')
}
