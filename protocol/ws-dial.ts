/** Opens a WebSocket outwards (RFC 6455 §4.1) and makes a {@link Link} of it. */
import type { IncomingMessage } from 'node:http'
import { connect as netConnect, isIP, type Socket } from 'node:net'
import { connect as tlsConnect } from 'node:tls'
import type { ClientOptions } from 'ws'
import { CrankerError } from './errors.js'
import type { RawHeaders } from './head.js'
import { HANDSHAKE_TIMEOUT_MS, LINK_CLOSE_TIMEOUT_MS, MAX_MESSAGE_BYTES } from './limits.js'
import type { Link } from './link.js'
import { LinkSocket, linkOf } from './ws-link.js'

export interface DialOptions {
  readonly url: URL
  /** IP address to connect to instead of the URL's host, which stays the name in Host, SNI and certificate checks. */
  readonly address?: string | undefined
  readonly headers: RawHeaders
  readonly subprotocols: readonly string[]
  readonly ca?: string | Buffer | readonly (string | Buffer)[] | undefined
  readonly insecureSkipVerify?: boolean | undefined
  /** ms, from the TCP connect to the 101. Default `HANDSHAKE_TIMEOUT_MS`. */
  readonly handshakeTimeout?: number | undefined
  readonly maxPayload?: number | undefined
}

export interface DialAnswer {
  /** Undefined: none was offered, or the router chose none. */
  readonly subprotocol: string | undefined
  readonly headers: RawHeaders
}

export interface DialFailure {
  readonly error: CrankerError
  /** Set when the router answered with something else than 101. */
  readonly status: number | undefined
  readonly headers: RawHeaders
}

export interface DialEvents {
  onOpen(link: Link, answer: DialAnswer): void
  onFailed(failure: DialFailure): void
  /** After `onOpen`: the TCP connection is gone, so both Close frames have passed or never will. */
  onGone?(): void
}

const SUBPROTOCOL_FIELD = 'sec-websocket-protocol'

/** A TLS session, and the trust under which it was made. */
interface TlsSession {
  readonly session: Buffer
  readonly ca: DialOptions['ca']
  readonly verified: boolean
}

/** TLS sessions by host and port: on 1.0 every request costs a new socket, and so a handshake. */
const tlsSessions = new Map<string, TlsSession>()
const MAX_TLS_SESSIONS = 256

/** Exactly one of the events comes, later, unless the dial is cancelled. */
export function dial(options: DialOptions, events: DialEvents): { cancel(): void } {
  const encrypted = options.url.protocol === 'wss:'
  const host = options.url.hostname.replace(/^\[|\]$/g, '')
  const port = Number(options.url.port || (encrypted ? 443 : 80))
  let socket: Socket | undefined
  let answer: IncomingMessage | undefined
  let subprotocol: string | undefined
  let settled = false

  const createConnection = (): Socket => {
    const to = { host: options.address ?? host, port }
    socket = encrypted ? connectTls(to, host, options) : netConnect(to)
    return socket
  }
  const headers: Record<string, string> = {}
  for (let i = 0; i + 1 < options.headers.length; i += 2) {
    headers[options.headers[i] as string] = options.headers[i + 1] as string
  }
  const ws = new LinkSocket(options.url, [...options.subprotocols], {
    headers,
    createConnection,
    perMessageDeflate: false,
    followRedirects: false,
    maxPayload: options.maxPayload ?? MAX_MESSAGE_BYTES,
    autoPong: false,
    closeTimeout: LINK_CLOSE_TIMEOUT_MS,
    // Frames that ws writes itself (Close); frame-writer.ts masks the others alike.
    ...(encrypted ? { generateMask: (mask: Buffer) => mask.fill(0) } : {}),
  } as ClientOptions)

  const timeout = setTimeout(() => {
    fail('the router did not complete the WebSocket handshake in time', undefined)
    ws.terminate()
  }, options.handshakeTimeout ?? HANDSHAKE_TIMEOUT_MS)

  const settle = (): boolean => {
    if (settled) return false
    settled = true
    clearTimeout(timeout)
    return true
  }
  const fail = (why: string, cause: unknown, status?: number, raw: RawHeaders = []): void => {
    if (!settle()) return
    const error = new CrankerError('CRANKER_ERR_REGISTRATION', `cannot register with ${options.url.host}: ${why}`, {
      initiator: status === undefined ? 'us' : 'peer',
      delivered: 'no',
      cause,
    })
    events.onFailed({ error, status, headers: raw })
  }

  ws.on('upgrade', (response) => {
    answer = response
    subprotocol = response.headers[SUBPROTOCOL_FIELD]
    // A router that knows only CrankerProtocol (crank4go, crank4j) chooses none, and a client need not mind (RFC 6455
    // §4.2.2). `ws` does, when this event is over. A second attempt that offers none would not do: the router has taken
    // this socket, and may have given a request to it already.
    if (subprotocol === undefined && options.subprotocols.length > 0) {
      response.headers[SUBPROTOCOL_FIELD] = options.subprotocols[0]
    }
  })
  ws.on('unexpected-response', (request, response) => {
    readStart(response, (text) => {
      const said = text === '' ? '' : `: ${text}`
      fail(`it answered ${String(response.statusCode)}${said}`, undefined, response.statusCode, response.rawHeaders)
      request.destroy()
    })
  })
  ws.on('error', (error) => fail(error.message === '' ? 'the connection failed' : error.message, error))
  ws.on('open', () => {
    if (!settle() || socket === undefined) return
    const link = linkOf(ws, socket, encrypted)
    ws.on('close', () => events.onGone?.())
    events.onOpen(link, { subprotocol, headers: answer?.rawHeaders ?? [] })
  })

  return {
    cancel() {
      if (settle()) ws.terminate()
    },
  }
}

function connectTls(to: { host: string; port: number }, host: string, options: DialOptions): Socket {
  const key = `${host}:${String(to.port)}@${to.host}`
  const verified = options.insecureSkipVerify !== true
  const known = tlsSessions.get(key)
  // Node checks no certificate again when a session is resumed: what somebody else trusted is not trusted here.
  const session = known?.ca === options.ca && known?.verified === verified ? known.session : undefined
  const socket = tlsConnect({
    ...to,
    servername: isIP(host) === 0 ? host : '',
    ALPNProtocols: ['http/1.1'],
    rejectUnauthorized: verified,
    ...(options.ca === undefined ? {} : { ca: options.ca as string | Buffer | (string | Buffer)[] }),
    ...(session === undefined ? {} : { session }),
  })
  socket.on('session', (fresh: Buffer) => {
    if (tlsSessions.size >= MAX_TLS_SESSIONS) tlsSessions.clear()
    tlsSessions.set(key, { session: fresh, ca: options.ca, verified })
  })
  socket.on('error', () => tlsSessions.delete(key))
  return socket
}

/** The first line or so of a refusal, for the log: printable, short, never waited for long. */
function readStart(response: IncomingMessage, done: (text: string) => void): void {
  let text = ''
  let finished = false
  const finish = (): void => {
    if (finished) return
    finished = true
    clearTimeout(timer)
    done(
      text
        .replace(/[^\x20-\x7e]+/g, ' ')
        .trim()
        .slice(0, 200),
    )
  }
  const timer = setTimeout(finish, 1_000)
  response.setEncoding('latin1')
  response.on('data', (piece: string) => {
    text += piece
    if (text.length >= 1_024) finish()
  })
  response.on('end', finish)
  response.on('error', finish)
  response.on('close', finish)
}
