import { CheckFailure, shown } from '../case.js'
import { data, frameOf, header, rst, takeFrame, windowUpdate } from '../frames.js'
import type { Frame } from '../../protocol/v3/frame.js'
import {
  EndedEarly,
  headText,
  parseHead,
  type Exchange,
  type Failure,
  type Request,
  type ResponseHead,
} from './exchange.js'
import type { Tunnel } from './lobby.js'

/** A sender pauses above so many unacknowledged bytes (docs/protocol.md, section 5.4)… */
const PAUSE_ABOVE = 65_536
/** …and gives them in such pieces. */
const MAX_DATA = 16_384
/** To the client's end (section 5.3). */
const CLIENT_LEFT = 1001

/** A frame of the response. */
type ResponseFrame = Extract<Frame, { kind: 'header' | 'data' | 'rst' }>

/** Version 3.0: one of many on its socket. */
export class ExchangeV3 implements Exchange {
  readonly tunnel: Tunnel
  readonly id: number
  /** Acknowledge what arrives, at once. Default true. */
  acknowledges = true
  /** Payload bytes that the connector has acknowledged. */
  acknowledged = 0
  /** Payload bytes sent. */
  sent = 0
  /** The parts of the response head as they came. */
  readonly headFrames: Extract<Frame, { kind: 'header' }>[] = []
  readonly #timeout: number
  #ended = false

  /** `id`: default the socket's next. */
  constructor(tunnel: Tunnel, timeout: number, id = tunnel.nextId++) {
    this.tunnel = tunnel
    this.#timeout = timeout
    this.id = id
  }

  /** Sent and not acknowledged. */
  get outstanding(): number {
    this.#collect()
    return this.sent - this.acknowledged
  }

  send(request: Request): void {
    this.sendHead(headText(request), request.body !== undefined)
  }

  sendHead(text: string, hasBody: boolean): void {
    this.sendHeader(text, { endStream: !hasBody })
  }

  /** One HEADER frame. */
  sendHeader(text: string | Buffer, flags: { readonly endStream?: boolean; readonly endHeaders?: boolean } = {}): void {
    this.sent += Buffer.byteLength(text)
    this.tunnel.socket.sendBinary(header(this.id, text, flags))
  }

  async sendBody(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; at += MAX_DATA) {
      await this.window()
      this.sendData(bytes.subarray(at, at + MAX_DATA))
    }
  }

  /** One DATA frame, whatever the window. */
  sendData(bytes: Buffer, endStream = false): void {
    this.sent += bytes.length
    this.tunnel.socket.sendBinary(data(this.id, bytes, endStream))
  }

  /** Waits until the window allows a frame. */
  async window(): Promise<void> {
    while (this.outstanding > PAUSE_ABOVE) {
      await this.update(
        `WINDOW_UPDATE for #${String(this.id)}, of which ${String(this.outstanding)} bytes are unacknowledged`,
      )
    }
  }

  /** Waits for one WINDOW_UPDATE. */
  async update(what: string): Promise<void> {
    const take = (frame: Frame): number | undefined =>
      frame.kind === 'window-update' && frame.id === this.id ? frame.increment : undefined
    this.acknowledged += await takeFrame(this.tunnel.socket, what, take, this.#timeout)
  }

  endBody(): void {
    this.sendData(Buffer.alloc(0), true)
  }

  abort(): void {
    this.tunnel.socket.sendBinary(rst(this.id, CLIENT_LEFT, 'client left'))
  }

  acknowledge(bytes: number): void {
    this.tunnel.socket.sendBinary(windowUpdate(this.id, bytes))
  }

  async head(): Promise<ResponseHead> {
    for (;;) {
      const frame = await this.next('HEADER with the response head')
      if (frame.kind !== 'header') throw unexpected('HEADER with the response head', frame)
      if (!frame.endHeaders) continue
      // END_STREAM counts only together with END_HEADERS (section 5.2).
      this.#ended = frame.end
      return parseHead(Buffer.concat(this.headFrames.map(({ payload }) => payload)).toString('utf8'))
    }
  }

  nextHead(): void {
    this.headFrames.length = 0
  }

  async bytes(count: number): Promise<Buffer> {
    const chunks: Buffer[] = []
    for (let size = 0; size < count;) {
      const frame = await this.next(`${String(count - size)} bytes of the body`)
      if (frame.kind !== 'data')
        throw new CheckFailure(`${String(count - size)} bytes of the body`, `${inWords(frame)} came`)
      chunks.push(frame.payload)
      size += frame.payload.length
      this.#ended = frame.end
    }
    return Buffer.concat(chunks)
  }

  async body(): Promise<Buffer> {
    const chunks: Buffer[] = []
    while (!this.#ended) {
      const frame = await this.next('DATA, the last one with END_STREAM')
      if (frame.kind !== 'data') throw unexpected('DATA with the response body', frame)
      chunks.push(frame.payload)
      this.#ended = frame.end
    }
    return Buffer.concat(chunks)
  }

  async finished(): Promise<void> {
    const rest = await this.body()
    if (rest.length > 0) throw new CheckFailure('END_STREAM and no more bytes', `${String(rest.length)} bytes came`)
  }

  async failure(): Promise<Failure> {
    for (;;) {
      const frame = await this.next('RST_STREAM')
      if (frame.kind === 'rst') return { code: frame.code, text: frame.text }
      if (frame.end && (frame.kind === 'data' || frame.endHeaders)) {
        throw new CheckFailure('RST_STREAM', 'the response was completed with END_STREAM')
      }
    }
  }

  /** The next frame of this exchange's response. */
  async next(what: string): Promise<ResponseFrame> {
    const frame = await takeFrame(
      this.tunnel.socket,
      `${what} for #${String(this.id)}`,
      (candidate) =>
        (candidate.kind === 'header' || candidate.kind === 'data' || candidate.kind === 'rst') &&
        candidate.id === this.id
          ? candidate
          : undefined,
      this.#timeout,
    )
    if (frame.kind === 'header') this.headFrames.push(frame)
    if (frame.kind !== 'rst' && this.acknowledges && frame.payload.length > 0) this.acknowledge(frame.payload.length)
    return frame
  }

  #collect(): void {
    const { inbox } = this.tunnel.socket
    const take = (): number | undefined =>
      inbox.poll((event) => {
        const frame = frameOf(event)
        return frame?.kind === 'window-update' && frame.id === this.id ? frame.increment : undefined
      })
    for (let more = take(); more !== undefined; more = take()) this.acknowledged += more
  }
}

function unexpected(expected: string, frame: ResponseFrame): CheckFailure {
  const actual = `${inWords(frame)} came`
  return frame.kind === 'rst' ? new EndedEarly(expected, actual, frame) : new CheckFailure(expected, actual)
}

/** For failures. */
function inWords(frame: ResponseFrame): string {
  switch (frame.kind) {
    case 'header':
      return `HEADER of ${String(frame.payload.length)} bytes${frame.end ? ' with END_STREAM' : ''}`
    case 'data':
      return `DATA of ${String(frame.payload.length)} bytes${frame.end ? ' with END_STREAM' : ''}`
    case 'rst':
      return `RST_STREAM ${frame.code === undefined ? 'without a code' : String(frame.code)} ${shown(frame.text)}`
  }
}
