import { v7 as uuidv7 } from 'uuid'
import type { RawHeaders } from '../../protocol/head.js'
import { type InboundHandler, type InboundRequest, nobody } from './inbound.js'
import type { RequestFacts, RequestLine } from './validity.js'

/** Who is at the other end of a connection. */
export type Client = Pick<InboundRequest, 'secure' | 'remoteAddress' | 'remotePort' | 'localPort'>

/** The part of an `InboundRequest` that does not depend on the version of HTTP: what it says, and who says it. */
export abstract class ClientRequest {
  readonly method: string
  readonly headers: RawHeaders
  readonly httpVersion: string
  readonly target: string
  readonly path: string
  readonly host: string
  readonly authority: string
  readonly hasBody: boolean
  readonly contentLength: number | undefined
  readonly expectsContinue: boolean
  handler: InboundHandler = nobody
  readonly #client: Client
  #id: string | undefined

  /** Without `facts`, a request that is only going to be refused; it may have a body. */
  constructor(client: Client, line: RequestLine, facts: RequestFacts | undefined, mayHaveBody: boolean) {
    this.#client = client
    this.method = line.method
    this.headers = line.rawHeaders
    this.httpVersion = line.httpVersion
    this.target = facts?.target ?? line.url
    this.path = facts?.path ?? ''
    this.host = facts?.host ?? ''
    this.authority = facts?.authority ?? ''
    this.hasBody = facts?.hasBody ?? mayHaveBody
    this.contentLength = facts?.contentLength
    this.expectsContinue = facts?.expectsContinue ?? false
  }

  get id(): string {
    return (this.#id ??= uuidv7())
  }

  get secure(): boolean {
    return this.#client.secure
  }

  get remoteAddress(): string {
    return this.#client.remoteAddress
  }

  get remotePort(): number {
    return this.#client.remotePort
  }

  get localPort(): number {
    return this.#client.localPort
  }
}
