/** The service behind the connector under test: it holds every request until a case says what to answer. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { Socket, type AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { CheckFailure } from '../case.js'
import { Inbox } from '../inbox.js'

/** Larger heads than any case sends. */
const MAX_HEADER_BYTES = 256 * 1024

/** A request that has reached the service. */
export class ServiceCall {
  readonly req: IncomingMessage
  readonly res: ServerResponse
  /** Set when the connector ended it before it was answered. */
  gone = false
  readonly #events = new Inbox<'gone'>('the request to the service', () => 'its end')

  constructor(req: IncomingMessage, res: ServerResponse) {
    this.req = req
    this.res = res
    res.on('close', () => {
      if (res.writableFinished) return
      this.gone = true
      this.#events.put('gone')
    })
    // A case may cut it at any time.
    req.on('error', () => {})
    res.on('error', () => {})
  }

  get method(): string {
    return this.req.method ?? ''
  }

  /** The request target, byte for byte. */
  get target(): string {
    return this.req.url ?? ''
  }

  /** All values of a field, in order. */
  values(name: string): string[] {
    const { rawHeaders } = this.req
    return rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name)
  }

  /** Answers in one go. */
  answer(status: number, headers: readonly string[] = [], body: string | Buffer = ''): void {
    // Not a string: node would send the head, whose octets are ISO 8859-1, in the encoding of the body.
    this.res.writeHead(status, [...headers]).end(Buffer.from(body))
  }

  /** The next bytes of the body. @throws CheckFailure when fewer come within `timeout` ms */
  async bytes(count: number, timeout: number): Promise<Buffer> {
    const deadline = AbortSignal.timeout(timeout)
    for (;;) {
      const bytes = this.req.read(count) as Buffer | null
      if (bytes !== null) return bytes
      await once(this.req, 'readable', { signal: deadline }).catch(() => {
        throw new CheckFailure(
          `${String(count)} more bytes to reach the service`,
          `they did not within ${String(timeout)} ms`,
        )
      })
    }
  }

  /** @throws CheckFailure when the body does not end within `timeout` ms */
  async body(timeout: number): Promise<Buffer> {
    const chunks: Buffer[] = []
    const collected = (async () => {
      for await (const chunk of this.req) chunks.push(chunk as Buffer)
    })()
    const overdue = new Promise<'overdue'>((resolve) => setTimeout(resolve, timeout, 'overdue').unref())
    const outcome = await Promise.race([collected, overdue]).catch(() => 'broken' as const)
    const size = chunks.reduce((sum, { length }) => sum + length, 0)
    if (outcome !== undefined) {
      throw new CheckFailure(
        'the whole request body to reach the service',
        `after ${String(size)} bytes ${outcome === 'broken' ? 'it broke off' : `nothing more came within ${String(timeout)} ms`}`,
      )
    }
    return Buffer.concat(chunks)
  }

  /** @throws CheckFailure unless the connector ends it within `timeout` ms */
  async ended(timeout: number): Promise<void> {
    if (this.gone) return
    await this.#events.take('the request to the service to be ended', (event) => event, timeout)
  }

  /** Cuts the connection between the service and the connector. */
  destroy(): void {
    this.req.socket.destroy()
  }
}

/** A request for a WebSocket that has reached the service. */
export class ServiceUpgrade {
  readonly stream: Socket

  constructor(stream: Socket, head: Buffer) {
    this.stream = stream
    // A case may cut it at any time.
    stream.on('error', () => {})
    if (head.length > 0) stream.unshift(head)
  }

  accept(): Socket {
    this.stream.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n')
    return this.stream
  }
}

export class ScriptedService {
  readonly calls = new Inbox<ServiceCall>('the service', (call) => `${call.method} ${call.target}`)
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #address: AddressInfo | undefined

  private constructor() {
    this.#server = createServer({ maxHeaderSize: MAX_HEADER_BYTES, keepAliveTimeout: 60_000, requestTimeout: 0 })
    this.#server.maxHeadersCount = 0
    const hold = (req: IncomingMessage, res: ServerResponse): void => this.calls.put(new ServiceCall(req, res))
    this.#server.on('request', hold)
    // Cases send `expect` to see it dropped; should it come through, they see that.
    this.#server.on('checkContinue', hold).on('checkExpectation', hold)
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
    })
  }

  static async listen(host: string): Promise<ScriptedService> {
    const service = new ScriptedService()
    service.#server.listen(0, host)
    await once(service.#server, 'listening')
    service.#address = service.#server.address() as AddressInfo
    return service
  }

  get port(): number {
    return this.#address?.port ?? 0
  }

  /** `127.0.0.1:PORT`. */
  get authority(): string {
    return `${this.#address?.address ?? ''}:${String(this.port)}`
  }

  /** Keeps upgrades for the case until `stop`; without it they are ordinary requests. */
  takeUpgrades(): { readonly upgrades: Inbox<ServiceUpgrade>; readonly stop: () => void } {
    const upgrades = new Inbox<ServiceUpgrade>('the service', () => 'an upgrade')
    const take = (_req: IncomingMessage, stream: Duplex, head: Buffer): void => {
      // Without TLS there are no others.
      if (stream instanceof Socket) upgrades.put(new ServiceUpgrade(stream, head))
    }
    this.#server.on('upgrade', take)
    return { upgrades, stop: () => void this.#server.off('upgrade', take) }
  }

  /** Stops listening and cuts every connection: a service that is down. Resolves with a way back. */
  async goDown(): Promise<() => Promise<void>> {
    await this.close()
    return async () => {
      this.#server.listen(this.#address?.port, this.#address?.address)
      await once(this.#server, 'listening')
    }
  }

  /** Ends what a case has left: its calls, and whatever came for `path` or strayed. */
  dismiss(calls: readonly ServiceCall[], path: string): void {
    const stray = (call: ServiceCall): ServiceCall | undefined =>
      call.target.includes(path) || !call.target.includes('/case-') ? call : undefined
    const left = [...calls]
    for (let call = this.calls.poll(stray); call !== undefined; call = this.calls.poll(stray)) left.push(call)
    for (const call of left) {
      // Cutting it would make some HTTP clients send the request once more.
      if (!call.res.headersSent) call.answer(503, ['content-length', '0'])
      else if (!call.res.writableEnded) call.destroy()
    }
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return
    const closed = once(this.#server, 'close')
    this.#server.close()
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }
}
