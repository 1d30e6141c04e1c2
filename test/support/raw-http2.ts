/** An HTTP/2 client that sends frames exactly as a test writes them, and shows the frames that come back. */
import { RawClient } from './raw-client.js'

export const FRAME = {
  data: 0,
  headers: 1,
  priority: 2,
  reset: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const

export const FLAG = { endStream: 1, ack: 1, endHeaders: 4, padded: 8 } as const

/** Error codes (RFC 9113 §7). */
export const CODE = {
  none: 0,
  protocol: 1,
  internal: 2,
  flow: 3,
  streamClosed: 5,
  refused: 7,
  cancel: 8,
  calm: 11,
} as const

export const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

export interface Frame {
  readonly type: number
  readonly flags: number
  readonly stream: number
  readonly payload: Buffer
}

export function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

/** Field lines as HPACK literals without indexing (RFC 7541 §6.2.2), no Huffman. */
export function fields(...lines: readonly string[]): Buffer {
  const parts: Buffer[] = []
  for (let i = 0; i + 1 < lines.length; i += 2) {
    parts.push(Buffer.from([0]), text(lines[i] as string), text(lines[i + 1] as string))
  }
  return Buffer.concat(parts)
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1')
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes])
  const length = [127]
  let rest = bytes.length - 127
  for (; rest >= 128; rest >>= 7) length.push((rest & 127) | 128)
  return Buffer.concat([Buffer.from([...length, rest]), bytes])
}

export const GET = [':method', 'GET', ':scheme', 'http', ':authority', 'a', ':path', '/'] as const
export const POST = [':method', 'POST', ':scheme', 'http', ':authority', 'a', ':path', '/'] as const

/** A request without a body. */
export function request(stream: number, lines: readonly string[] = GET): Buffer {
  return frame(FRAME.headers, FLAG.endHeaders | FLAG.endStream, stream, fields(...lines))
}

/** The head of one with a body. */
export function upload(stream: number, lines: readonly string[] = POST): Buffer {
  return frame(FRAME.headers, FLAG.endHeaders, stream, fields(...lines))
}

export function reset(stream: number, code: number): Buffer {
  return frame(FRAME.reset, 0, stream, uint32(code))
}

export class RawHttp2 {
  readonly client: RawClient
  /** What came, in order. SETTINGS and their acknowledgements are left out. */
  readonly frames: Frame[] = []
  #wake: (() => void)[] = []
  #rest: Buffer = Buffer.alloc(0)
  #settings = false

  constructor(client: RawClient) {
    this.client = client
    client.socket.on('data', (chunk: Buffer) => {
      this.#parse(chunk)
      this.#notify()
    })
    client.socket.on('close', () => this.#notify())
  }

  /** Says nothing yet. */
  static async connect(port: number): Promise<RawHttp2> {
    return new RawHttp2(await RawClient.connect(port))
  }

  /** Preface and SETTINGS are sent, and the router's are acknowledged. */
  static async greet(port: number, settings: Buffer = Buffer.alloc(0)): Promise<RawHttp2> {
    const raw = await RawHttp2.connect(port)
    raw.write(PREFACE, frame(FRAME.settings, 0, 0, settings))
    while (!raw.#settings) await new Promise<void>((resolve) => raw.#wake.push(resolve))
    return raw.write(frame(FRAME.settings, FLAG.ack, 0))
  }

  write(...frames: readonly Buffer[]): this {
    this.client.write(Buffer.concat(frames))
    return this
  }

  /** Waits for a frame that matches, among all that have come. */
  async frame(type: number, stream: number, matches: (frame: Frame) => boolean = () => true): Promise<Frame> {
    for (;;) {
      const found = this.frames.find((each) => each.type === type && each.stream === stream && matches(each))
      if (found !== undefined) return found
      if (this.client.ending !== undefined) throw new Error(`closed (${this.client.ending}) before such a frame`)
      await new Promise<void>((resolve) => this.#wake.push(resolve))
    }
  }

  /** The error code of a stream's RST_STREAM, or of GOAWAY for 0. */
  async code(stream: number): Promise<number> {
    if (stream > 0) return (await this.frame(FRAME.reset, stream)).payload.readUInt32BE(0)
    return (await this.frame(FRAME.goaway, 0)).payload.readUInt32BE(4)
  }

  /** What became of a stream: `answered`, or the error code of its reset or of the connection's end. */
  async outcome(stream: number): Promise<string> {
    for (;;) {
      for (const { type, stream: of, payload } of this.frames) {
        if (type === FRAME.reset && of === stream) return `reset ${payload.readUInt32BE(0)}`
        if (type === FRAME.goaway) return `goaway ${payload.readUInt32BE(4)}`
        if (type === FRAME.headers && of === stream) return 'answered'
      }
      if (this.client.ending !== undefined) return 'closed'
      await new Promise<void>((resolve) => this.#wake.push(resolve))
    }
  }

  /** The error code of the GOAWAY, and the end of the connection. */
  async cut(): Promise<number | undefined> {
    await this.client.closed()
    const goaway = this.frames.find((each) => each.type === FRAME.goaway)
    return goaway?.payload.readUInt32BE(4)
  }

  /** Has the stream's response, or what came of it, been ended as if it were complete? */
  ended(stream: number): boolean {
    return this.frames.some(
      ({ type, flags, stream: of }) =>
        of === stream && (type === FRAME.data || type === FRAME.headers) && (flags & FLAG.endStream) !== 0,
    )
  }

  body(stream: number): string {
    const data = this.frames.filter((each) => each.type === FRAME.data && each.stream === stream)
    return Buffer.concat(data.map(({ payload }) => payload)).toString('latin1')
  }

  #parse(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk])
    while (this.#rest.length >= 9) {
      const length = this.#rest.readUIntBE(0, 3)
      if (this.#rest.length < 9 + length) return
      const [type, flags] = [this.#rest[3] as number, this.#rest[4] as number]
      const stream = this.#rest.readUInt32BE(5)
      if (type === FRAME.settings) this.#settings = true
      else this.frames.push({ type, flags, stream, payload: this.#rest.subarray(9, 9 + length) })
      this.#rest = this.#rest.subarray(9 + length)
    }
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }
}
