/** One request that the router under test has sent over a tunnel socket, and the kit's answer; over either version. */
import { CheckFailure, shown } from '../case.js'
import { data, header, rst, takeFrame, windowUpdate } from '../frames.js'
import type { RawSocket } from '../socket.js'
import type { Frame } from '../../protocol/v3/frame.js'
import { decodeRequestText, isBodyEnd } from '../../protocol/v1/request-text.js'

export interface RequestText {
  /** As it came, without the marker of 1.0; the parts of a 3.0 head joined. Decoded as UTF-8. */
  readonly text: string
  readonly method: string
  readonly target: string
  /** As they came. */
  readonly fields: readonly (readonly [name: string, value: string])[]
  readonly hasBody: boolean
}

/** How the router ended an exchange early: close code on 1.0, RST_STREAM code on 3.0. */
export interface Abort {
  readonly code: number | undefined
}

/** What both versions have. */
export interface Exchange {
  readonly socket: RawSocket
  readonly request: RequestText
  /** The request body to its regular end. */
  body(): Promise<Buffer>
  /** The response head as text, well-formed or not. */
  head(text: string): void
  send(bytes: Buffer | string): void
  /** The regular end of the response. */
  end(): void
  /** After a 101: the regular end of what goes to the client, which may go on sending. */
  endDirection(): void
  /** The service failed. */
  fail(): void
  /** A whole response. */
  respond(status: string, fields: readonly string[], body?: Buffer | string): void
  /** Waits until the router ends it. @throws CheckFailure */
  aborted(): Promise<Abort>
}

export function parseRequest(text: string, hasBody: boolean): RequestText {
  const [first = '', ...lines] = text.split('\n')
  const [method = '', target = ''] = first.split(' ')
  const fields = lines.flatMap((line) => {
    const colon = line.indexOf(':')
    return colon <= 0 ? [] : [[line.slice(0, colon).trim(), line.slice(colon + 1).trim()] as const]
  })
  return { text, method, target, fields, hasBody }
}

/** All values of a request field. */
export function fieldsOf({ fields }: RequestText, name: string): string[] {
  return fields.flatMap(([each, value]) => (each.toLowerCase() === name ? [value] : []))
}

function headOf(status: string, fields: readonly string[]): string {
  return `${[`HTTP/1.1 ${status}`, ...fields].join('\n')}\n`
}

// 1.0

export class ExchangeV1 implements Exchange {
  readonly socket: RawSocket
  readonly request: RequestText
  readonly #timeout: number
  /** Sizes of the binary messages of the request body. */
  readonly sizes: number[] = []

  constructor(socket: RawSocket, request: RequestText, timeout: number) {
    this.socket = socket
    this.request = request
    this.#timeout = timeout
  }

  /** Waits for the request. */
  static async take(socket: RawSocket, timeout: number): Promise<ExchangeV1> {
    const text = await socket.inbox.take(
      'a request: a text message with a head and a marker',
      (event) => (event.kind === 'text' ? event.bytes.toString('utf8') : undefined),
      timeout,
    )
    const marker = /_([12])\s*$/.exec(text)
    if (marker === null) throw new CheckFailure('a head that ends with the marker _1 or _2', shown(text))
    try {
      decodeRequestText(text)
    } catch (error) {
      throw new CheckFailure('a head that can be read', `${(error as Error).message}: ${shown(text)}`)
    }
    return new ExchangeV1(socket, parseRequest(text.slice(0, marker.index), marker[1] === '1'), timeout)
  }

  async body(): Promise<Buffer> {
    if (!this.request.hasBody) return Buffer.alloc(0)
    const chunks: Buffer[] = []
    for (;;) {
      const event = await this.socket.inbox.take(
        'a binary message of the body, or _3 at its end',
        (each) => (each.kind === 'binary' || each.kind === 'text' ? each : undefined),
        this.#timeout,
      )
      if (event.kind === 'binary') {
        chunks.push(event.bytes)
        this.sizes.push(event.bytes.length)
        continue
      }
      const text = event.bytes.toString('utf8')
      if (!isBodyEnd(text)) throw new CheckFailure('the text _3 at the end of the body', shown(text))
      return Buffer.concat(chunks)
    }
  }

  head(text: string): void {
    this.socket.sendText(text)
  }

  send(bytes: Buffer | string): void {
    const all = Buffer.from(bytes as string)
    for (let at = 0; at < all.length; at += 16_384) this.socket.sendBinary(all.subarray(at, at + 16_384))
  }

  end(): void {
    this.socket.close(1000)
  }

  endDirection(): void {
    this.socket.sendText('_3')
  }

  fail(): void {
    this.socket.close(1011)
  }

  respond(status: string, fields: readonly string[], body: Buffer | string = ''): void {
    this.head(headOf(status, fields))
    this.send(body)
    this.end()
  }

  async aborted(): Promise<Abort> {
    return this.socket.inbox.take(
      'a Close frame, because the client left',
      (event) => (event.kind === 'close' ? { code: event.code } : event.kind === 'end' ? { code: 1006 } : undefined),
      this.#timeout,
    )
  }
}

// 3.0

/** A sender pauses above so many unacknowledged bytes (docs/protocol.md, section 5.4). */
export const PAUSE_ABOVE = 65_536

type RequestFrame = Extract<Frame, { kind: 'header' | 'data' | 'rst' }>

export class ExchangeV3 implements Exchange {
  readonly socket: RawSocket
  readonly id: number
  /** Acknowledge what arrives, at once. */
  acknowledges = true
  /** Payload bytes sent, and those that the router has acknowledged. */
  sent = 0
  acknowledged = 0
  /** Payload bytes received and not acknowledged. */
  owed = 0
  /** The parts of the request head as they came. */
  readonly headFrames: Extract<Frame, { kind: 'header' }>[] = []
  readonly #timeout: number
  #request: RequestText | undefined

  private constructor(socket: RawSocket, id: number, timeout: number) {
    this.socket = socket
    this.id = id
    this.#timeout = timeout
  }

  get request(): RequestText {
    if (this.#request === undefined) throw new TypeError('the head has not come yet')
    return this.#request
  }

  /** Waits for the head of the next request. `acknowledges`: its bytes too. */
  static async take(socket: RawSocket, timeout: number, acknowledges = true): Promise<ExchangeV3> {
    let exchange: ExchangeV3 | undefined
    for (;;) {
      const known: number | undefined = exchange?.id
      const frame = await takeFrame(
        socket,
        'a request: HEADER',
        (each) => (each.kind === 'header' && (known === undefined || each.id === known) ? each : undefined),
        timeout,
      )
      exchange ??= new ExchangeV3(socket, frame.id, timeout)
      exchange.acknowledges = acknowledges
      exchange.headFrames.push(frame)
      exchange.#received(frame.payload.length)
      if (!frame.endHeaders) continue
      const text = Buffer.concat(exchange.headFrames.map(({ payload }) => payload)).toString('utf8')
      exchange.#request = parseRequest(text, !frame.end)
      return exchange
    }
  }

  async body(): Promise<Buffer> {
    if (!this.request.hasBody) return Buffer.alloc(0)
    const chunks: Buffer[] = []
    for (;;) {
      const frame = await this.next('DATA, the last one with END_STREAM')
      if (frame.kind !== 'data') throw new CheckFailure('DATA of the request body', `${frame.kind} came`)
      chunks.push(frame.payload)
      if (frame.end) return Buffer.concat(chunks)
    }
  }

  /** The next frame of this exchange. */
  async next(what: string): Promise<RequestFrame> {
    const frame = await takeFrame(
      this.socket,
      `${what} for #${String(this.id)}`,
      (each) => (isRequestFrame(each) && each.id === this.id ? each : undefined),
      this.#timeout,
    )
    if (frame.kind !== 'rst') this.#received(frame.payload.length)
    return frame
  }

  /** Takes the DATA that still comes until none has come for `quiet` ms; how much is unacknowledged then. */
  async drain(quiet: number, took: (payload: Buffer) => void): Promise<number> {
    for (;;) {
      const frame = await takeFrame(
        this.socket,
        'DATA',
        (each) => (each.kind === 'data' && each.id === this.id ? each : undefined),
        quiet,
      ).catch(() => undefined)
      if (frame === undefined) return this.owed
      this.#received(frame.payload.length)
      took(frame.payload)
    }
  }

  acknowledge(bytes: number): void {
    if (bytes > 0) this.socket.sendBinary(windowUpdate(this.id, bytes))
    this.owed -= bytes
  }

  head(text: string | Buffer, flags: { readonly endStream?: boolean; readonly endHeaders?: boolean } = {}): void {
    this.sent += Buffer.byteLength(text)
    this.socket.sendBinary(header(this.id, text, flags))
  }

  send(bytes: Buffer | string): void {
    if (bytes.length > 0) this.frame(bytes)
  }

  /** One DATA frame, whatever the window. */
  frame(bytes: Buffer | string, endStream = false): void {
    this.sent += Buffer.byteLength(bytes)
    this.socket.sendBinary(data(this.id, bytes, endStream))
  }

  /** Sends in pieces of `piece` bytes, as far and as fast as the window allows. */
  async sendWindowed(bytes: Buffer, piece = 16_384): Promise<void> {
    for (let at = 0; at < bytes.length; at += piece) {
      this.collect()
      while (this.sent - this.acknowledged > PAUSE_ABOVE) await this.acknowledgement()
      this.frame(bytes.subarray(at, at + piece))
    }
  }

  /** Waits for a WINDOW_UPDATE. */
  async acknowledgement(): Promise<void> {
    const left = String(this.sent - this.acknowledged)
    const what = `WINDOW_UPDATE for #${String(this.id)}, of which ${left} bytes are unacknowledged`
    this.acknowledged += await takeFrame(
      this.socket,
      what,
      (each) => (each.kind === 'window-update' && each.id === this.id ? each.increment : undefined),
      this.#timeout,
    )
  }

  /** Counts the WINDOW_UPDATEs that have come. */
  collect(): void {
    const take = (): number | undefined =>
      this.socket.inbox.poll((event) => {
        const bytes = event.kind === 'binary' ? event.bytes : undefined
        return bytes?.length === 10 && bytes[0] === 8 && bytes.readInt32BE(2) === this.id
          ? bytes.readInt32BE(6)
          : undefined
      })
    for (let more = take(); more !== undefined; more = take()) this.acknowledged += more
  }

  end(): void {
    this.frame('', true)
  }

  endDirection(): void {
    this.end()
  }

  fail(): void {
    this.reset(1011, 'the service failed')
  }

  reset(code: number, text: string): void {
    this.socket.sendBinary(rst(this.id, code, text))
  }

  respond(status: string, fields: readonly string[], body: Buffer | string = ''): void {
    this.head(headOf(status, fields))
    this.send(body)
    this.end()
  }

  async aborted(): Promise<Abort> {
    for (;;) {
      const frame = await this.next('RST_STREAM, because the client left')
      if (frame.kind === 'rst') return { code: frame.code }
    }
  }

  #received(bytes: number): void {
    this.owed += bytes
    if (this.acknowledges) this.acknowledge(this.owed)
  }
}

function isRequestFrame(frame: Frame): frame is RequestFrame {
  return frame.kind === 'header' || frame.kind === 'data' || frame.kind === 'rst'
}
