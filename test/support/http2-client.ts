/** node's HTTP/2 client, with promises. */
import http2, {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
} from 'node:http2'
import { certificate } from './certificate.js'

export interface Http2Response {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  readonly text: string
  readonly infos: readonly IncomingHttpHeaders[]
}

export interface Http2ClientOptions {
  readonly tls?: boolean
  readonly servername?: string
  readonly settings?: http2.Settings
}

export class Http2Client {
  readonly session: ClientHttp2Session
  readonly closed: Promise<void>

  constructor(port: number, { tls = false, servername, settings = {} }: Http2ClientOptions = {}) {
    this.session = http2.connect(`${tls ? 'https' : 'http'}://127.0.0.1:${port}`, {
      settings,
      // node counts what the client itself has to send, too.
      maxSessionMemory: 1_000,
      ...(tls ? { ca: certificate.cert, rejectUnauthorized: false } : {}),
      ...(servername === undefined ? {} : { servername }),
    })
    this.session.on('error', () => undefined)
    this.closed = new Promise((resolve) => this.session.once('close', resolve))
  }

  /** Undefined body: the caller writes it. */
  open(headers: OutgoingHttpHeaders, endStream: boolean): ClientHttp2Stream {
    const stream = this.session.request({ ':authority': 'a', ...headers }, { endStream })
    stream.on('error', () => undefined)
    return stream
  }

  async fetch(headers: OutgoingHttpHeaders, body?: string | Buffer): Promise<Http2Response> {
    const stream = this.open(headers, body === undefined)
    if (body !== undefined) stream.end(body)
    return response(stream)
  }

  destroy(): void {
    this.session.destroy()
  }
}

/** The head of the response. */
export function head(stream: ClientHttp2Stream): Promise<IncomingHttpHeaders> {
  return new Promise((resolve, reject) => {
    stream.once('response', resolve)
    stream.once('error', reject)
    stream.once('close', () => reject(new Error(`closed (${stream.rstCode}) before the head`)))
  })
}

/** The whole response; rejects when it is cut. */
export function response(stream: ClientHttp2Stream): Promise<Http2Response> {
  return new Promise((resolve, reject) => {
    const infos: IncomingHttpHeaders[] = []
    const chunks: Buffer[] = []
    let headers: IncomingHttpHeaders = {}
    let ended = false
    stream.on('headers', (info) => infos.push(info))
    stream.on('response', (given) => (headers = given))
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('end', () => (ended = true))
    stream.on('error', reject)
    stream.on('close', () => {
      const code = stream.rstCode
      if (code !== 0) reject(new Error(`the stream was reset: ${code}`))
      else if (!ended) reject(new Error('the response was cut'))
      const body = Buffer.concat(chunks)
      resolve({ status: Number(headers[':status']), headers, body, text: body.toString('latin1'), infos })
    })
  })
}
