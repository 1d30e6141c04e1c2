/** A real gRPC service, and what it was asked, for tests. */
import { once } from 'node:events'
import {
  Client,
  credentials,
  type handleBidiStreamingCall,
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  type ServiceError,
  type StatusObject,
  status,
} from '@grpc/grpc-js'
import type { EventEmitter } from 'node:events'

const asIs = (bytes: Buffer): Buffer => bytes
const method = (name: string, requestStream: boolean, responseStream: boolean) => ({
  path: `/test.Echo/${name}`,
  requestStream,
  responseStream,
  requestSerialize: asIs,
  requestDeserialize: asIs,
  responseSerialize: asIs,
  responseDeserialize: asIs,
})

export const echo = {
  unary: method('unary', false, false),
  collect: method('collect', true, false),
  count: method('count', false, true),
  chat: method('chat', true, true),
  fail: method('fail', false, false),
  never: method('never', false, false),
} satisfies ServiceDefinition

/** What `fail` can be asked for. */
export const FAILURES = [status.NOT_FOUND, status.PERMISSION_DENIED, status.INTERNAL] as const

/** The bytes of a message are its text. */
export class EchoService {
  readonly #server: Server
  readonly port: number
  /** `cancelled` and `deadline` events of calls to `never`. */
  readonly seen: EventEmitter

  private constructor(server: Server, port: number, seen: EventEmitter) {
    this.#server = server
    this.port = port
    this.seen = seen
  }

  static async start(seen: EventEmitter): Promise<EchoService> {
    const server = new Server({ 'grpc.max_metadata_size': 64 * 1024 })
    server.addService(echo, handlers(seen))
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
        if (error === null) resolve(bound)
        else reject(error)
      })
    })
    return new EchoService(server, port, seen)
  }

  stop(): void {
    this.#server.forceShutdown()
  }
}

function handlers(seen: EventEmitter): Record<keyof typeof echo, never> {
  const unary: handleUnaryCall<Buffer, Buffer> = (call, reply) => {
    const initial = new Metadata()
    for (const value of call.metadata.get('x-echo')) initial.set('x-echo', value)
    call.sendMetadata(initial)
    const trailers = new Metadata()
    trailers.set('x-trailer', 'after')
    trailers.set('x-bytes-bin', Buffer.from([0, 255]))
    reply(null, call.request, trailers)
  }
  const collect: handleClientStreamingCall<Buffer, Buffer> = (call, reply) => {
    const parts: Buffer[] = []
    call.on('data', (part: Buffer) => parts.push(part))
    call.on('end', () => {
      reply(null, Buffer.concat(parts))
    })
  }
  const count: handleServerStreamingCall<Buffer, Buffer> = (call) => {
    for (let i = 1; i <= Number(call.request.toString()); i++) call.write(Buffer.from(String(i)))
    call.end()
  }
  const chat: handleBidiStreamingCall<Buffer, Buffer> = (call) => {
    call.on('data', (part: Buffer) => call.write(part))
    call.on('end', () => {
      call.end()
    })
    call.on('cancelled', () => seen.emit('cancelled'))
  }
  const fail: handleUnaryCall<Buffer, Buffer> = (call, reply) => {
    const metadata = new Metadata()
    metadata.set('x-why', 'because')
    const code = FAILURES.find((one) => String(one) === call.request.toString()) ?? status.UNKNOWN
    reply({ code, details: 'no: 100 % ä', metadata })
  }
  const never: handleUnaryCall<Buffer, Buffer> = (call) => {
    call.on('cancelled', () => seen.emit('cancelled'))
    seen.emit('deadline', call.getDeadline())
  }
  return { unary, collect, count, chat, fail, never } as unknown as Record<keyof typeof echo, never>
}

export interface Reply {
  readonly text: string
  readonly metadata: Metadata
  readonly status: StatusObject
}

export class EchoClient {
  readonly client: Client

  constructor(port: number, ca?: string) {
    const secure = ca === undefined ? credentials.createInsecure() : credentials.createSsl(Buffer.from(ca))
    this.client = new Client(`127.0.0.1:${port}`, secure, {
      'grpc.max_metadata_size': 64 * 1024,
      'grpc.ssl_target_name_override': 'localhost',
    })
  }

  unary(
    name: keyof typeof echo,
    request: string,
    metadata: Metadata = new Metadata(),
    deadline?: number,
  ): Promise<Reply> {
    return new Promise((resolve, reject) => {
      let initial = new Metadata()
      let text = ''
      const options = deadline === undefined ? {} : { deadline }
      const call = this.client.makeUnaryRequest(
        echo[name].path,
        asIs,
        asIs,
        Buffer.from(request),
        metadata,
        options,
        (error: ServiceError | null, reply?: Buffer) => {
          if (error !== null) reject(error)
          else text = reply?.toString() ?? ''
        },
      )
      call.on('metadata', (given) => (initial = given))
      call.on('status', (given) => {
        if (given.code === status.OK) setImmediate(() => resolve({ text, metadata: initial, status: given }))
      })
    })
  }

  collect(parts: readonly Buffer[]): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const call = this.client.makeClientStreamRequest(echo.collect.path, asIs, asIs, (error, reply?: Buffer) => {
        if (error === null) resolve(reply ?? Buffer.alloc(0))
        else reject(error)
      })
      for (const part of parts) call.write(part)
      call.end()
    })
  }

  async count(n: number): Promise<string[]> {
    const call = this.client.makeServerStreamRequest(echo.count.path, asIs, asIs, Buffer.from(String(n)))
    const got: string[] = []
    call.on('data', (part: Buffer) => got.push(part.toString()))
    await once(call, 'end')
    return got
  }

  chat() {
    return this.client.makeBidiStreamRequest(echo.chat.path, asIs, asIs)
  }

  close(): void {
    this.client.close()
  }
}
