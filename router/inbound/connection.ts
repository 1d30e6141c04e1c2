import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { plainAddress } from '../../protocol/address.js'
import { CrankerError } from '../../protocol/errors.js'
import type { Logger } from '../../protocol/logger.js'
import { resetSocket } from '../../protocol/reset-socket.js'
import { clientFault, rawAnswer } from './client-fault.js'
import type { ClientMessage, ClientResponse } from './client-message.js'
import { LINGER_BYTES, LINGER_MS, Lingering } from './early-answer.js'
import { Http1Request } from './http1-request.js'
import type { OnRefused, OnRequest } from './inbound.js'
import { checkRequest, Refusal } from './validity.js'

/** Pipelined requests that wait for their turn, on all connections: about 50 MB. Who goes beyond is cut off. */
export const MAX_PIPELINED = 20_000

/** What all connections of a server share. */
export interface ServerContext {
  readonly onRequest: OnRequest
  readonly onRefused: OnRefused
  readonly viaName: string
  readonly log: Logger
  readonly connections: Set<ClientConnection>
  draining: boolean
  /** Pipelined requests that wait. */
  pipelined: number
}

/**
 * One client's connection. It runs one request at a time: node would start every pipelined request at once, 20,000 of
 * them if they fit into few packets. While one waits for its turn, the socket is not read.
 */
export class ClientConnection {
  readonly socket: Socket
  readonly secure: boolean
  readonly remoteAddress: string
  readonly remotePort: number
  readonly localPort: number
  readonly #transport: Socket
  readonly #context: ServerContext
  readonly #queue: ClientResponse[] = []
  #current: Http1Request | undefined
  /** The current request had been waiting for its turn. */
  #pipelined = false
  #used = false
  #blocked = false
  #lingering: Lingering | undefined
  /** What happens once every request that came before is answered. */
  #after: (() => void) | undefined
  /** `bytesRead` when the client stopped speaking HTTP. */
  #brokenAt: number | undefined
  #timer: NodeJS.Timeout | undefined

  /** @param transport the TCP socket: `socket` itself, or the one under its TLS. */
  constructor(socket: Socket, transport: Socket, context: ServerContext) {
    this.socket = socket
    this.#transport = transport
    this.#context = context
    this.secure = socket instanceof TLSSocket
    this.remoteAddress = plainAddress(socket.remoteAddress).replace(/%.*$/, '')
    this.remotePort = socket.remotePort ?? 0
    this.localPort = socket.localPort ?? 0
    // Always there: while node hands a socket over ('upgrade', 'connect') it has no other, and a reset would throw.
    socket.on('error', ignore)
    socket.on('end', () => this.#onEnd())
    socket.on('close', () => this.#onClose())
  }

  get viaName(): string {
    return this.#context.viaName
  }

  /** The next response is the last one. */
  get closing(): boolean {
    return this.#context.draining
  }

  get idle(): boolean {
    return this.#current === undefined && this.#queue.length === 0
  }

  /** Nothing has been said on it yet, as far as one can tell: handshakes count as bytes. */
  get unused(): boolean {
    return !this.#used && (this.secure || this.socket.bytesRead === 0)
  }

  accept(request: ClientMessage, response: ClientResponse): void {
    if (this.#brokenAt !== undefined) return
    if (this.#current === undefined) {
      this.#pipelined = false
      this.#begin(request, response)
    } else if (this.#context.pipelined >= MAX_PIPELINED) {
      this.#context.log.warn({ remoteAddress: this.remoteAddress }, 'too many pipelined requests: connection cut')
      this.socket.destroy()
    } else {
      this.#context.pipelined++
      this.#queue.push(response)
      this.#block()
    }
  }

  /** Calls `fn` when every request that came before is answered; never if the connection ends before that. */
  whenIdle(fn: () => void): void {
    if (this.idle) fn()
    else this.#after = fn
  }

  /** The response is complete, the request is not: reads some more of it. */
  linger(request: ClientMessage): void {
    this.#lingering = new Lingering(this.socket, request)
  }

  /** Makes a request the current one and hands it on. The connection must be idle. */
  run(inbound: Http1Request): void {
    this.#used = true
    this.#lingering = undefined
    this.#current = inbound
    try {
      this.#context.onRequest(inbound)
    } catch (cause) {
      this.#context.log.error({ err: cause }, 'handling a request threw')
      inbound.abort(new CrankerError('CRANKER_ERR_INTERNAL', 'handling the request threw', { cause }))
    }
  }

  responseFinished(request: Http1Request): void {
    if (this.#current !== request) return
    this.#current = undefined
    this.#lingering?.responseFinished()
    this.#next()
  }

  /** Ends a response visibly incomplete. */
  cut(closeDelimited: boolean): void {
    // Where the end of the connection is the end of the body, an orderly end would look like success. Not every client
    // minds a missing close_notify (RFC 8446 §6.1), so TLS connections are reset too, underneath.
    if (closeDelimited) resetSocket(this.#transport)
    else this.socket.destroy()
  }

  /** What node's parser, or its clock, has against the client. */
  onClientError(cause: NodeJS.ErrnoException): void {
    const { socket } = this
    const error = clientFault(cause)
    if (socket.destroyed) return
    if (error === undefined) {
      socket.destroy()
      return
    }
    if (this.#brokenAt !== undefined) {
      // node parses on, and fails on, whatever else comes.
      if (socket.bytesRead - this.#brokenAt > LINGER_BYTES) socket.destroy()
      return
    }
    this.#brokenAt = socket.bytesRead
    const current = this.#current
    if (current !== undefined && !current.requestComplete) {
      // Its body is what is broken. If it has been answered early, nobody cares; the end is near anyway.
      current.broken(error)
      return
    }
    if (current === undefined && this.#lingering?.active === true) {
      socket.destroy()
      return
    }
    // The message after those that were complete: they are answered first.
    const last = this.#queue.at(-1)
    if (last !== undefined && !last.req.complete) {
      this.#queue.pop()
      this.#context.pipelined--
    }
    this.whenIdle(() => this.#answerRaw(error))
  }

  /** Answers what never became a request, in its turn, and closes. */
  refuse(error: CrankerError): void {
    this.#brokenAt = this.socket.bytesRead
    this.whenIdle(() => this.#answerRaw(error))
  }

  #begin(request: ClientMessage, response: ClientResponse): void {
    this.#used = true
    this.#lingering = undefined
    const facts = checkRequest(request as ClientMessage & { method: string; url: string })
    if (facts instanceof Refusal) {
      const refused = new Http1Request(this, request, response, undefined)
      this.#current = refused
      this.#context.onRefused(refused, facts.error, refused.refuse(facts))
      return
    }
    this.run(new Http1Request(this, request, response, facts))
  }

  #next(): void {
    const { socket } = this
    if (socket.destroyed || socket.writableEnded) return
    if (this.closing) {
      socket.destroySoon()
      return
    }
    const response = this.#queue.shift()
    if (response === undefined) {
      const after = this.#after
      this.#after = undefined
      after?.()
      return
    }
    this.#context.pipelined--
    this.#pipelined = true
    if (this.#queue.length === 0) this.#unblock()
    this.#begin(response.req, response)
  }

  #onEnd(): void {
    const current = this.#current
    if (current === undefined || !current.requestComplete) return
    if (!current.clientEnded(this.#pipelined || this.#queue.length > 0)) this.socket.destroy()
  }

  #onClose(): void {
    this.#context.connections.delete(this)
    this.#context.pipelined -= this.#queue.length
    this.#queue.length = 0
    this.#after = undefined
    clearTimeout(this.#timer)
    this.#lingering?.stop()
    const current = this.#current
    this.#current = undefined
    current?.lost(
      new CrankerError('CRANKER_ERR_CLIENT_GONE', 'the client closed its connection', { initiator: 'caller' }),
    )
  }

  #answerRaw(error: CrankerError): void {
    this.socket.end(rawAnswer(error, this.viaName))
    // Whatever the client still sends must not turn into a reset before it has read this.
    this.socket.resume()
    this.#timer = setTimeout(() => this.socket.destroy(), LINGER_MS)
  }

  /** node resumes the socket on several occasions, for the next request; none of them counts while one waits. */
  #block(): void {
    if (this.#blocked) return
    this.#blocked = true
    this.socket.pause()
    this.socket.resume = () => this.socket
  }

  #unblock(): void {
    if (!this.#blocked) return
    this.#blocked = false
    // The prototype's own method shows again.
    delete (this.socket as Partial<Socket>).resume
    this.socket.resume()
  }
}

function ignore(): void {
  // The 'close' that follows is acted on.
}
