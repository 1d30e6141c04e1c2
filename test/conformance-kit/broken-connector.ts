/**
 * A connector of a hundred lines, for 3.0 and requests without a body: what somebody has after the first hour. Each
 * fault is one that a beginner makes; the kit must find it, and name nothing else.
 */
import { request } from 'node:http'
import { WebSocket } from 'ws'
import { data, header, windowUpdate } from '../../check/frames.js'
import { decodeFrame } from '../../protocol/v3/frame.js'

export type Fault =
  | 'none'
  /** Ends the lines of heads in CRLF. */
  | 'crlf'
  /** Puts a space behind the colon. */
  | 'space'
  /** Does not end responses without a body. */
  | 'no-end'
  /** Sends whatever it has, whatever was acknowledged. */
  | 'no-window'
  /** Closes the socket on frames that it does not know. */
  | 'strict-types'
  /** Leaves the route out of the path. */
  | 'strips-route'
  /** Follows redirects. */
  | 'follows'
  /** Comes back at once, whatever happened. */
  | 'storms'
  /** Answers no pings. */
  | 'no-pongs'

const PAUSE_ABOVE = 65_536
const PIECE = 16_384
const WINDOW = 2

export class BrokenConnector {
  readonly #fault: Fault
  readonly #router: string
  readonly #target: string
  readonly #route: string
  readonly #sockets = new Set<WebSocket>()
  #stopped = false
  #failures = 0

  constructor(fault: Fault, urls: { readonly router: string; readonly target: string; readonly route: string }) {
    this.#fault = fault
    this.#router = urls.router
    this.#target = urls.target
    this.#route = urls.route
    for (let count = 0; count < WINDOW; count++) this.#dial()
  }

  stop(): void {
    this.#stopped = true
    for (const socket of this.#sockets) socket.terminate()
  }

  #dial(): void {
    if (this.#stopped) return
    const socket = new WebSocket(
      `${this.#router}/register/?connectorInstanceID=broken&componentName=broken`,
      ['cranker_3.0'],
      {
        headers: { Route: this.#route, Domain: '*' },
        autoPong: this.#fault !== 'no-pongs',
        perMessageDeflate: false,
      },
    )
    this.#sockets.add(socket)
    const opened = performance.now()
    let retryAfter = 0
    socket.on('unexpected-response', (req, res) => {
      retryAfter = 1000 * Number(res.headers['retry-after'] ?? 0)
      req.destroy()
      socket.terminate()
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      this.#sockets.delete(socket)
      // A socket has proved itself when it has lived for a while.
      this.#failures = performance.now() - opened > 300 && retryAfter === 0 ? 0 : this.#failures + 1
      const delay = this.#fault === 'storms' ? 1 : Math.max(retryAfter, Math.min(2_000, 30 * 2 ** this.#failures))
      setTimeout(() => this.#dial(), delay)
    })
    const pings = setInterval(() => socket.readyState === WebSocket.OPEN && socket.ping(), 200)
    socket.on('close', () => clearInterval(pings))
    const windows = new Map<number, (bytes: number) => void>()
    socket.on('message', (message: Buffer, binary) => {
      if (binary) this.#frame(socket, windows, message)
    })
  }

  #frame(socket: WebSocket, windows: Map<number, (bytes: number) => void>, message: Buffer): void {
    const frame = decodeFrame(message)
    if (frame.kind === 'unknown' && this.#fault === 'strict-types') return socket.close(1011)
    if (frame.kind === 'short') return socket.close(1002)
    if (frame.kind === 'window-update') return windows.get(frame.id)?.(frame.increment)
    if (frame.kind !== 'header') return
    socket.send(windowUpdate(frame.id, frame.payload.length))
    // Acknowledgements may come before there is anything to acknowledge.
    let ahead = 0
    windows.set(frame.id, (bytes) => (ahead += bytes))
    this.#serve(socket, windows, frame.id, frame.payload.toString(), () => ahead)
  }

  #serve(
    socket: WebSocket,
    windows: Map<number, (bytes: number) => void>,
    id: number,
    head: string,
    ahead: () => number,
  ): void {
    const [first = '', ...lines] = head.trimEnd().split('\n')
    const [method = 'GET', path = '/'] = first.split(' ')
    const headers = lines.map((line) => line.split(':', 2) as [string, string])
    const target = this.#fault === 'strips-route' ? path.replace(`/${this.#route}`, '') : path
    this.#ask(method, `${this.#target}${target}`, Object.fromEntries(headers), (status, fields, body) => {
      const newline = this.#fault === 'crlf' ? '\r\n' : '\n'
      const colon = this.#fault === 'space' ? ': ' : ':'
      const text = [`HTTP/1.1 ${status} OK`, ...fields.map(([name, value]) => `${name}${colon}${value}`)]
      const encoded = Buffer.from(text.map((line) => line + newline).join(''))
      socket.send(header(id, encoded))
      if (body.length === 0 && this.#fault === 'no-end') return
      this.#sendBody(socket, windows, id, encoded.length - ahead(), body)
    })
  }

  #sendBody(
    socket: WebSocket,
    windows: Map<number, (bytes: number) => void>,
    id: number,
    headBytes: number,
    body: Buffer,
  ): void {
    let unacknowledged = headBytes
    let at = 0
    const go = (): void => {
      while (at < body.length && (this.#fault === 'no-window' || unacknowledged <= PAUSE_ABOVE)) {
        const piece = body.subarray(at, at + PIECE)
        socket.send(data(id, piece))
        unacknowledged += piece.length
        at += piece.length
      }
      if (at < body.length) return
      windows.delete(id)
      socket.send(data(id, '', true))
    }
    windows.set(id, (bytes) => {
      const paused = unacknowledged > PAUSE_ABOVE || at > 0
      unacknowledged -= bytes
      if (paused && unacknowledged < PIECE) go()
    })
    go()
  }

  #ask(
    method: string,
    url: string,
    headers: Readonly<Record<string, string>>,
    done: (status: number, fields: (readonly [string, string])[], body: Buffer) => void,
  ): void {
    const req = request(url, { method, headers }, (res) => {
      const { location } = res.headers
      if (this.#fault === 'follows' && location !== undefined) {
        res.resume()
        return this.#ask(method, location, headers, done)
      }
      const chunks: Buffer[] = []
      res.on('data', (chunk: Buffer) => chunks.push(chunk))
      res.on('end', () => {
        const { rawHeaders } = res
        const fields = rawHeaders.flatMap((name, index) =>
          index % 2 === 1 || /^(?:connection|keep-alive|transfer-encoding)$/i.test(name)
            ? []
            : [[name, String(rawHeaders[index + 1])] as const],
        )
        done(res.statusCode ?? 0, fields, Buffer.concat(chunks))
      })
      res.on('error', () => {})
    })
    req.on('error', () => {})
    req.end()
  }
}
