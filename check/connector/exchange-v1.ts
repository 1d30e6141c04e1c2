import { CheckFailure } from '../case.js'
import type { SocketEvent } from '../socket.js'
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

/** Close codes that complete a response (docs/protocol.md, section 4.2). */
const COMPLETE = [1000, 1005]
/** The most that the oldest peers read at once (section 4.3). */
const MAX_MESSAGE = 16_384
/** When the connector has not seen the client leave by the Close frame, TCP ends (section 4.2). */
const CUT_AFTER_CLOSE_MS = 500

/** Version 1.0: the socket is the exchange. */
export class ExchangeV1 implements Exchange {
  readonly tunnel: Tunnel
  readonly #timeout: number

  constructor(tunnel: Tunnel, timeout: number) {
    this.tunnel = tunnel
    this.#timeout = timeout
  }

  send(request: Request): void {
    this.sendHead(headText(request), request.body !== undefined)
  }

  sendHead(text: string, hasBody: boolean): void {
    this.tunnel.used = true
    this.tunnel.socket.sendText(`${text}\n${hasBody ? '_1' : '_2'}`)
  }

  async sendBody(bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length; at += MAX_MESSAGE) {
      this.tunnel.socket.sendBinary(bytes.subarray(at, at + MAX_MESSAGE))
    }
    return Promise.resolve()
  }

  endBody(): void {
    this.tunnel.socket.sendText('_3')
  }

  abort(): void {
    const { socket } = this.tunnel
    socket.close(1001, 'Going away')
    setTimeout(() => {
      socket.destroy()
    }, CUT_AFTER_CLOSE_MS).unref()
  }

  async head(): Promise<ResponseHead> {
    const event = await this.#next('a text message with the response head')
    if (event.kind !== 'text') throw unexpected('a text message with the response head', event)
    return parseHead(event.bytes.toString('utf8'))
  }

  nextHead(): void {
    // It is another text message.
  }

  async bytes(count: number): Promise<Buffer> {
    const chunks: Buffer[] = []
    for (let size = 0; size < count;) {
      const event = await this.#next(`${String(count - size)} bytes of the body`)
      if (event.kind !== 'binary') throw new CheckFailure(`${String(count - size)} bytes of the body`, came(event))
      chunks.push(event.bytes)
      size += event.bytes.length
    }
    return Buffer.concat(chunks)
  }

  async body(): Promise<Buffer> {
    const chunks: Buffer[] = []
    for (;;) {
      const event = await this.#next('a binary message, or a Close frame that completes the response')
      if (event.kind === 'binary') chunks.push(event.bytes)
      else if (event.kind === 'close' && COMPLETE.includes(event.code)) return Buffer.concat(chunks)
      else throw unexpected('the body in binary messages and Close 1000', event)
    }
  }

  async finished(): Promise<void> {
    const what = '_3, or Close 1000'
    const event = await this.#next(what)
    const end =
      event.kind === 'text' ? event.bytes.toString() === '_3' : event.kind === 'close' && COMPLETE.includes(event.code)
    if (!end) throw new CheckFailure(what, came(event))
  }

  async failure(): Promise<Failure> {
    for (;;) {
      const event = await this.#next('a Close frame that tells a failure')
      if (event.kind === 'end') return { code: 1006, text: '' }
      if (event.kind !== 'close') continue
      if (COMPLETE.includes(event.code)) throw new CheckFailure('a Close frame that tells a failure', came(event))
      return { code: event.code, text: event.reason }
    }
  }

  #next(what: string): Promise<SocketEvent> {
    const match = (event: SocketEvent): SocketEvent | undefined =>
      event.kind === 'ping' || event.kind === 'pong' ? undefined : event
    return this.tunnel.socket.inbox.take(what, match, this.#timeout)
  }
}

function unexpected(expected: string, event: SocketEvent): CheckFailure {
  if (event.kind !== 'close') return new CheckFailure(expected, came(event))
  return new EndedEarly(expected, came(event), { code: event.code, text: event.reason })
}

function came(event: SocketEvent): string {
  switch (event.kind) {
    case 'text':
      return `the text message ${JSON.stringify(event.bytes.toString('utf8').slice(0, 100))} came`
    case 'close':
      return `Close ${event.code === 1005 ? 'without a code' : String(event.code)} came`
    case 'end':
      return 'the TCP connection ended without a Close frame'
    default:
      return `a ${event.kind} message of ${String(event.bytes.length)} bytes came`
  }
}
