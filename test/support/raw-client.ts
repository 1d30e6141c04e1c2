/** A client that sends bytes exactly as a test writes them, and reads responses without node's http client. */
import net from 'node:net'
import tls from 'node:tls'

export interface RawResponse {
  readonly status: number
  readonly reason: string
  readonly version: string
  readonly headers: readonly string[]
  readonly body: Buffer
  readonly text: string
  field(name: string): string | undefined
  fields(name: string): string[]
}

export interface RawHead {
  readonly status: number
  readonly reason: string
  readonly version: string
  readonly headers: readonly string[]
}

/** How the connection ended: `fin` in order, `reset` with an error. */
export type Ending = 'fin' | 'reset'

export class RawClient {
  readonly socket: net.Socket
  /** Everything received and not yet read as a response. */
  received = Buffer.alloc(0)
  ending: Ending | undefined
  #wake: (() => void)[] = []

  constructor(socket: net.Socket) {
    this.socket = socket
    socket.on('data', (chunk) => {
      this.received = Buffer.concat([this.received, chunk])
      this.#notify()
    })
    socket.on('error', () => {
      this.ending = 'reset'
    })
    socket.on('end', () => {
      this.ending ??= 'fin'
      this.#notify()
    })
    socket.on('close', () => {
      this.ending ??= 'fin'
      this.#notify()
    })
  }

  static connect(port: number, options: { readonly tls?: boolean } = {}): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket =
        options.tls === true
          ? tls.connect({
              port,
              host: '127.0.0.1',
              rejectUnauthorized: false,
              allowHalfOpen: true,
            } as tls.ConnectionOptions)
          : net.connect({ port, host: '127.0.0.1', allowHalfOpen: true })
      const client = new RawClient(socket)
      socket.once(options.tls === true ? 'secureConnect' : 'connect', () => resolve(client))
      socket.once('error', reject)
    })
  }

  /** One character is one octet. */
  write(data: string | Buffer): this {
    this.socket.write(typeof data === 'string' ? Buffer.from(data, 'latin1') : data)
    return this
  }

  /** Ends this side only. */
  halfClose(): void {
    this.socket.end()
  }

  reset(): void {
    this.socket.resetAndDestroy()
  }

  leave(): void {
    this.socket.destroy()
  }

  async closed(): Promise<Ending> {
    while (this.ending === undefined) await this.#change()
    return this.ending
  }

  /** Waits for text among what was received and not yet read. */
  async until(text: string): Promise<void> {
    while (!this.received.includes(text, 0, 'latin1')) {
      if (this.ending !== undefined) throw new Error(`closed (${this.ending}) before ${JSON.stringify(text)}`)
      await this.#change()
    }
  }

  /** The next head, also of an interim response. */
  async head(): Promise<RawHead> {
    const end = await this.#find('\r\n\r\n', 0)
    const [line = '', ...lines] = this.received.toString('latin1', 0, end).split('\r\n')
    this.received = this.received.subarray(end + 4)
    const match = /^HTTP\/(\d\.\d) (\d{3}) (.*)$/.exec(line)
    if (match === null) throw new Error(`not a status line: ${JSON.stringify(line)}`)
    const headers = lines.flatMap((field) => {
      const colon = field.indexOf(':')
      return [field.slice(0, colon), field.slice(colon + 1).trim()]
    })
    return { version: match[1] as string, status: Number(match[2]), reason: match[3] as string, headers }
  }

  /** The next final response, whole; interim ones are skipped. Rejects when it is cut. */
  async response(method = 'GET'): Promise<RawResponse> {
    let head = await this.head()
    while (head.status < 200) head = await this.head()
    const fields = (name: string): string[] =>
      head.headers.filter((_, i) => i % 2 === 1 && head.headers[i - 1]?.toLowerCase() === name)
    const body = await this.#body(method, head, fields)
    return { ...head, body, text: body.toString('latin1'), field: (name) => fields(name)[0], fields }
  }

  async #body(method: string, head: RawHead, fields: (name: string) => string[]): Promise<Buffer> {
    if (method === 'HEAD' || head.status === 204 || head.status === 304) return Buffer.alloc(0)
    const [length] = fields('content-length')
    if (length !== undefined) return this.#bytes(Number(length))
    if (fields('transfer-encoding').includes('chunked')) return this.#chunks()
    const ending = await this.closed()
    if (ending === 'reset') throw new Error('the response was cut by a reset')
    const body = this.received
    this.received = Buffer.alloc(0)
    return body
  }

  async #chunks(): Promise<Buffer> {
    const parts: Buffer[] = []
    for (;;) {
      const end = await this.#find('\r\n', 0)
      const size = Number.parseInt(this.received.toString('latin1', 0, end), 16)
      this.received = this.received.subarray(end + 2)
      const data = await this.#bytes(size + 2)
      if (size === 0) return Buffer.concat(parts)
      parts.push(data.subarray(0, size))
    }
  }

  async #bytes(count: number): Promise<Buffer> {
    while (this.received.length < count) {
      if (this.ending !== undefined) {
        throw new Error(`the response was cut (${this.ending}): ${this.received.length} of ${count} bytes`)
      }
      await this.#change()
    }
    const bytes = this.received.subarray(0, count)
    this.received = this.received.subarray(count)
    return bytes
  }

  async #find(text: string, from: number): Promise<number> {
    for (;;) {
      const at = this.received.indexOf(text, from, 'latin1')
      if (at !== -1) return at
      if (this.ending !== undefined) throw new Error(`the response was cut (${this.ending})`)
      await this.#change()
    }
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve))
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }
}
