/** The connector's end of a WebSocket handshake (RFC 6455 §4.1), written by hand: any header, any number of times. */
import { randomBytes } from 'node:crypto'
import type { ProtocolVersion } from '../protocol/session.js'
import { acceptKey } from './accept.js'
import { CheckFailure, shown } from './case.js'
import { RawSocket } from './socket.js'
import { connect, oneLine, parseHead, readHead } from './stream.js'
import type { Transcript } from './transcript.js'

export interface DialRequest {
  /** `ws:` or `wss:`; its path and query are the request target. */
  readonly url: URL
  /** Header lines besides those that `upgrade` gives. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** `Host`, `Connection`, `Upgrade`, `Sec-WebSocket-Version` and `-Key`. Default true; false: only `Host`. */
  readonly upgrade?: boolean
  /** Default GET. */
  readonly method?: string
  /** For transcripts. */
  readonly name: string
  /** By which messages are read in transcripts. */
  readonly version: ProtocolVersion
  readonly transcript: Transcript
  /** ms for the whole handshake. */
  readonly timeout: number
  /** Only for `wss:`; default false. */
  readonly insecure?: boolean
}

/** The head of the answer; `socket` when it was 101. */
export interface DialAnswer {
  readonly status: number
  /** As sent, in order. */
  readonly headers: readonly (readonly [name: string, value: string])[]
  /** The first value of a header, undefined when there is none. */
  header(name: string): string | undefined
  readonly socket: RawSocket | undefined
}

/**
 * Sends a handshake request and reads the head of the answer.
 * @throws CheckFailure when none comes, or a 101 does not fit the request
 */
export async function dial(request: DialRequest): Promise<DialAnswer> {
  const key = randomBytes(16).toString('base64')
  const text = requestText(request, key)
  const stream = connect(request.url, { insecure: request.insecure ?? false })
  request.transcript.note(request.name, `← ${oneLine(text)}`)
  try {
    stream.write(text)
    const { head, rest } = await readHead(stream, 'an answer to the handshake', request.timeout)
    request.transcript.note(request.name, `→ ${oneLine(head)}`)
    const { status, headers } = parseHead(head)
    const header = (name: string): string | undefined =>
      headers.find(([candidate]) => candidate.toLowerCase() === name.toLowerCase())?.[1]
    if (status !== 101) {
      stream.destroy()
      return { status, headers, header, socket: undefined }
    }
    const accept = header('sec-websocket-accept')
    if (accept !== acceptKey(key)) throw new CheckFailure('a Sec-WebSocket-Accept that fits the key', shown(accept))
    const { name, version, transcript } = request
    const socket = new RawSocket(stream, rest, { name, version, transcript, role: 'client' })
    // It was paused behind the head.
    socket.resume()
    return { status, headers, header, socket }
  } catch (error) {
    stream.destroy()
    throw error
  }
}

function requestText(request: DialRequest, key: string): string {
  const { url, method = 'GET', upgrade = true } = request
  const handshake = [
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${key}`,
  ]
  const lines = [
    `${method} ${url.pathname}${url.search} HTTP/1.1`,
    `Host: ${url.host}`,
    ...(upgrade ? handshake : []),
    ...request.headers.map(([name, value]) => `${name}: ${value}`),
  ]
  return `${lines.join('\r\n')}\r\n\r\n`
}
