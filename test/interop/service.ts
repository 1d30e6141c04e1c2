import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

/** A path that the service answers by itself, whatever its listener does. */
export const READY = '/-/ready'

/** The service behind a connector: what it does is changed from case to case, and it can be taken away. */
export class Service {
  readonly #server: Server
  #listener: RequestListener = (_req, res) => res.end()

  private constructor(server: Server) {
    this.#server = server
    server.on('request', (req, res) => {
      if (req.url?.endsWith(READY) === true) res.end('ready')
      else this.#listener(req, res)
    })
  }

  static async start(): Promise<Service> {
    const service = new Service(createServer({ keepAliveTimeout: 120_000, maxHeaderSize: 64 * 1024 }))
    await service.#listen(0)
    return service
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get url(): string {
    return `http://127.0.0.1:${String(this.port)}`
  }

  serve(listener: RequestListener): void {
    this.#listener = listener
  }

  /** Runs `action` while nobody listens on the port. */
  async whileDown<T>(action: () => Promise<T>): Promise<T> {
    const { port } = this
    await this.close()
    try {
      return await action()
    } finally {
      await this.#listen(port)
    }
  }

  async close(): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }

  async #listen(port: number): Promise<void> {
    this.#server.listen(port, '127.0.0.1')
    await once(this.#server, 'listening')
  }
}

/** Answers when the request's body is whole. Where it breaks off, as peers that stop may let it, nobody is left to answer. */
export function withBody(answer: (body: string, res: ServerResponse, req: IncomingMessage) => void): RequestListener {
  return (req, res) =>
    void text(req).then(
      (body) => answer(body, res, req),
      () => res.destroy(),
    )
}
