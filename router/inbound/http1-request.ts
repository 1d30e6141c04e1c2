import type { RawHeaders, ResponseHead } from '../../protocol/head.js'
import { MAX_INTERIM_HEADS } from '../../protocol/limits.js'
import { CrankerError } from '../../protocol/errors.js'
import { announcedTrailers } from '../../protocol/trailers.js'
import { lists } from '../../protocol/upgrade.js'
import { errorAnswer } from '../responses.js'
import type { ClientMessage, ClientResponse } from './client-message.js'
import { ClientRequest } from './client-request.js'
import type { ClientConnection } from './connection.js'
import { hasContentLength, hasFraming, interimText, mayHaveBody } from './framing.js'
import { type InboundRequest, nobody } from './inbound.js'
import { PresenceProbe } from './presence-probe.js'
import type { Refusal, RequestFacts } from './validity.js'

/** A client that ends its side this soon after its body has only finished sending (`nc -N`). */
const HALF_CLOSE_MS = 1_000

/** Up to this size, making a string of a body costs less than a write of its own. */
const ONE_WRITE_BYTES = 4 * 1024

/** Nothing is sent in these states yet: `open`, `held`. Then `sending`, `ended` (all handed to node) and `over`. */
type State = 'open' | 'held' | 'sending' | 'ended' | 'over'

/** One HTTP/1.x request and its response. Its connection runs one at a time. */
export class Http1Request extends ClientRequest implements InboundRequest {
  readonly upgrade: boolean = false

  readonly #connection: ClientConnection
  readonly #request: ClientMessage
  readonly #response: ClientResponse
  #state: State = 'open'
  #held: Buffer | undefined
  #started = false
  #infos = 0
  #bodyEnded = 0
  #hasLength = false
  /** The response has chunks, and its client can take a trailer section behind them. */
  #canTrail = false
  /** The response has neither content-length nor chunks: its end is the end of the connection. */
  #closeDelimited = false
  #sizes: number[] | undefined
  #onWritten: (() => void) | undefined
  #probe: PresenceProbe | undefined

  /** Without `facts`: a request that is only going to be refused. */
  constructor(
    connection: ClientConnection,
    request: ClientMessage,
    response: ClientResponse,
    facts: RequestFacts | undefined,
  ) {
    const line = request as ClientMessage & { method: string; url: string }
    super(connection, line, facts, facts === undefined && hasFraming(request.rawHeaders))
    this.#connection = connection
    this.#request = request
    this.#response = response
    response.owner = this
    response.on('finish', onResponseFinish)
  }

  /** The client has sent the whole request. */
  get requestComplete(): boolean {
    return this.#request.complete
  }

  /** The response is complete, as far as we are concerned. */
  get answered(): boolean {
    return !this.#receiving()
  }

  start(): void {
    if (this.#started || !this.#receiving()) return
    this.#started = true
    if (this.expectsContinue) this.#response.writeContinue()
    const request = this.#request
    request.on('data', (chunk: Buffer) => {
      if (this.#receiving()) this.handler.onBody(chunk)
    })
    request.on('end', () => {
      this.#bodyEnded = performance.now()
      if (this.#receiving()) this.handler.onBodyEnd(this.#requestTrailers())
    })
  }

  pause(): void {
    if (this.#receiving()) this.#request.pause()
  }

  resume(): void {
    if (this.#receiving()) this.#request.resume()
  }

  info(head: ResponseHead): void {
    if (this.#state !== 'open' || this.httpVersion === '1.0' || this.#infos >= MAX_INTERIM_HEADS) return
    this.#infos++
    this.#connection.socket.write(interimText(head), 'latin1')
  }

  respond(head: ResponseHead): void {
    if (this.#state !== 'open') return
    const response = this.#response
    // A client told to close may send nothing more, and what it has pipelined is not answered.
    const headers = this.#connection.closing ? [...head.headers, 'Connection', 'close'] : (head.headers as string[])
    try {
      response.writeHead(head.status, head.reason, headers)
    } catch (cause) {
      // node's own check (a status like 99, a CR in a value): the last barrier before the wire.
      throw new CrankerError('CRANKER_ERR_BAD_RESPONSE', 'the response head is not valid HTTP', {
        initiator: 'peer',
        delivered: 'yes',
        cause,
      })
    }
    this.#state = 'held'
    this.#probe?.stop()
    this.#hasLength = hasContentLength(head.headers)
    this.#canTrail = !this.#hasLength && this.httpVersion !== '1.0' && this.#wantsTrailers(head)
    this.#closeDelimited = !this.#hasLength && this.httpVersion === '1.0' && mayHaveBody(this.method, head.status)
    process.nextTick(flushHeld, this)
  }

  write(chunk: Buffer): void {
    if (this.#state === 'held') {
      if (this.#held === undefined) {
        this.#held = chunk
        return
      }
      this.flush()
    }
    if (this.#state === 'sending') this.#send(chunk)
  }

  end(trailers?: RawHeaders): void {
    if (this.#state !== 'held' && this.#state !== 'sending') return
    const held = this.#held
    this.#held = undefined
    this.#state = 'ended'
    if (this.#bodyUnread()) this.#connection.linger(this.#request)
    if (trailers !== undefined && this.#canTrail) this.#response.addTrailers(pairs(trailers))
    if (held === undefined) this.#response.end()
    else if (this.#hasLength && held.length <= ONE_WRITE_BYTES) this.#endInOneWrite(held)
    else this.#response.end(held)
  }

  abort(error: CrankerError): number | undefined {
    if (this.#state === 'over') return undefined
    if (this.#state === 'open') return this.#answer(error, undefined)
    this.#cut()
    return undefined
  }

  /** Answers a request that does not get as far as the proxy, and returns the status. */
  refuse(refusal: Refusal): number {
    return this.#answer(refusal.error, refusal.status)
  }

  /** What was held back until the end of the turn leaves. */
  flush(): void {
    if (this.#state !== 'held') return
    this.#state = 'sending'
    const held = this.#held
    this.#held = undefined
    if (held !== undefined) return this.#send(held)
    // A head is octets, but node writes one that it flushes without a body in the connection's own encoding.
    this.#connection.socket.setDefaultEncoding('latin1')
    this.#response.flushHeaders()
  }

  /** The response is handed over whole. */
  finished(): void {
    if (this.#state !== 'ended') return
    this.#state = 'over'
    this.#connection.responseFinished(this)
    this.handler.onFinished()
  }

  /** The connection is gone. */
  lost(error: CrankerError): void {
    if (this.#state === 'over') return
    this.#state = 'over'
    this.#held = undefined
    this.#probe?.stop()
    this.handler.onGone(error)
  }

  /** The rest of the request is not HTTP. */
  broken(error: CrankerError): void {
    const { handler } = this
    if (this.#state === 'over' || this.#state === 'ended') return
    if (this.#state === 'open') this.#answer(error, undefined)
    else this.#cut()
    handler.onGone(error)
  }

  /**
   * The client has ended its side. Either it only wants to say that no request follows, or it is gone; TCP does not
   * tell. Before the response head it is given the benefit of the doubt, and interim responses find out. After the head, only a client that has just finished its body is believed.
   * Returns false when it counts as gone.
   */
  clientEnded(pipelined: boolean): boolean {
    switch (this.#state) {
      case 'open':
        // Any client must bear any number of these (RFC 9110 §15.2), but HTTP/1.0 does not know them.
        if (this.httpVersion !== '1.0') this.#probe = new PresenceProbe(() => this.#response.writeContinue())
        return true
      case 'held':
      case 'sending':
        return pipelined || (this.hasBody && performance.now() - this.#bodyEnded < HALF_CLOSE_MS)
      case 'ended':
      case 'over':
        return true
    }
  }

  /** Head and body as one string: `end(chunk)` makes three parts of them, which cost node and the kernel more. */
  #endInOneWrite(body: Buffer): void {
    const { socket } = this.#connection
    socket.cork()
    this.#response.write(body.toString('latin1'), 'latin1')
    socket.uncork()
    this.#response.end()
  }

  /** RFC 9110 §6.5.1: the client said that it takes them, or the service that they are there. */
  #wantsTrailers(head: ResponseHead): boolean {
    if (!mayHaveBody(this.method, head.status)) return false
    return announcedTrailers(head.headers) !== undefined || lists(this.headers, 'te', 'trailers')
  }

  /** Those that were announced: others may be dropped (RFC 9110 §6.5.1), and most often are an attempt at something. */
  #requestTrailers(): RawHeaders | undefined {
    const { rawTrailers } = this.#request
    return rawTrailers.length > 0 && announcedTrailers(this.headers) !== undefined ? rawTrailers : undefined
  }

  #receiving(): boolean {
    return this.#state !== 'ended' && this.#state !== 'over'
  }

  #send(chunk: Buffer): void {
    if (chunk.length === 0) return
    const sizes = (this.#sizes ??= [])
    sizes.push(chunk.length)
    this.#response.write(
      chunk,
      (this.#onWritten ??= () => {
        const size = sizes.shift()
        if (size !== undefined && this.#state !== 'over') this.handler.onTaken(size)
      }),
    )
  }

  /** The whole response at once: nothing is left to be told to anybody. */
  #answer(error: CrankerError, status: number | undefined): number {
    this.handler = nobody
    this.#probe?.stop()
    const connection = this.#connection
    const { head, body } = errorAnswer({
      error,
      status,
      requestId: this.id,
      headers: this.headers,
      viaName: connection.viaName,
    })
    this.#state = 'ended'
    const unread = this.#bodyUnread()
    const headers = unread || connection.closing ? [...head.headers, 'Connection', 'close'] : (head.headers as string[])
    this.#response.writeHead(head.status, head.reason, headers)
    if (unread) connection.linger(this.#request)
    this.#response.end(this.method === 'HEAD' ? undefined : body)
    return head.status
  }

  #bodyUnread(): boolean {
    return this.hasBody && !this.#request.complete
  }

  #cut(): void {
    this.#state = 'over'
    this.#held = undefined
    this.handler = nobody
    this.#connection.cut(this.#closeDelimited)
  }
}

function onResponseFinish(this: ClientResponse): void {
  this.owner?.finished()
}

/** As node wants them. */
function pairs(fields: RawHeaders): [string, string][] {
  const list: [string, string][] = []
  for (let i = 0; i + 1 < fields.length; i += 2) list.push([fields[i] as string, fields[i + 1] as string])
  return list
}

function flushHeld(request: Http1Request): void {
  request.flush()
}
