/** One request through the connector under test, over either version. */
import { CheckFailure, checkSame } from '../case.js'
import type { Tunnel } from './lobby.js'
import type { ServiceCall } from './service.js'

export interface ResponseHead {
  /** As it came; the parts of a 3.0 head joined. */
  readonly text: string
  readonly status: number
  readonly headers: readonly (readonly [name: string, value: string])[]
}

/** How an exchange was ended that did not complete. */
export interface Failure {
  /** Close code on 1.0, RST_STREAM code on 3.0; 1006: no Close frame. Undefined: none was given. */
  readonly code: number | undefined
  readonly text: string
}

/** Instead of ending an exchange a connector may answer it (docs/protocol.md, section 8.4). */
export interface Answer {
  readonly status: number
  /** Head and body. */
  readonly text: string
}

export interface Request {
  /** Default GET. */
  readonly method?: string
  readonly target: string
  /** `name:value`, as the lines of the head. Default `host:service.example`. */
  readonly fields?: readonly string[]
  /** Undefined: no body. It is sent by `sendBody` and `endBody` otherwise. */
  readonly body?: 'follows'
}

/** The text of a head, each line ended by one newline. */
export function headText(request: Request): string {
  const { method = 'GET', target, fields = ['host:service.example'] } = request
  return `${[`${method} ${target} HTTP/1.1`, ...fields].join('\n')}\n`
}

/** What both versions have. */
export interface Exchange {
  readonly tunnel: Tunnel
  /** Sends the head of a request. */
  send(request: Request): void
  /** The same with a head as given, well-formed or not. */
  sendHead(text: string, hasBody: boolean): void
  /** Resolves when it has been sent: on 3.0 that waits for the window. */
  sendBody(bytes: Buffer): Promise<void>
  endBody(): void
  /** The client has left. */
  abort(): void
  /** @throws CheckFailure when something else comes */
  head(): Promise<ResponseHead>
  /** After an interim head: the next `head()` is another one. */
  nextHead(): void
  /** So many bytes of the body. @throws CheckFailure when something else comes */
  bytes(count: number): Promise<Buffer>
  /** The rest of the response, to its regular end. @throws CheckFailure when something else comes */
  body(): Promise<Buffer>
  /** After an upgrade: the connector's end of the bytes. @throws CheckFailure when more of them, or something else, comes */
  finished(): Promise<void>
  /** Reads until the exchange is ended early. @throws CheckFailure when it completes */
  failure(): Promise<Failure>
}

/**
 * What a connector makes of a service that it cannot reach: it ends the exchange, or answers by itself, which is the
 * second choice (section 8.4).
 */
export async function failureOrAnswer(exchange: Exchange): Promise<Failure | Answer> {
  try {
    const head = await exchange.head()
    return { status: head.status, text: head.text + (await exchange.body()).toString('latin1') }
  } catch (error) {
    if (error instanceof EndedEarly) return error.failure
    throw error
  }
}

/** The exchange was ended where a response was expected. */
export class EndedEarly extends CheckFailure {
  readonly failure: Failure

  constructor(expected: string, actual: string, failure: Failure) {
    super(expected, actual)
    this.failure = failure
  }
}

/** Reads a head leniently: what is wrong with it is the business of the cases about heads. */
export function parseHead(text: string): ResponseHead {
  const [first = '', ...rest] = text.split(/\r?\n/)
  const status = Number(/^\S* +(\d{3})(?: |$)/.exec(first)?.[1])
  const headers = rest.flatMap((line) => {
    const colon = line.indexOf(':')
    return colon <= 0 ? [] : [[line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()] as const]
  })
  return { text, status, headers }
}

/** All values of a field of a response. */
export function valuesOf(head: ResponseHead, name: string): string[] {
  return head.headers.flatMap(([candidate, value]) => (candidate === name ? [value] : []))
}

/** @throws CheckFailure unless the response has this status and body */
export async function expectResponse(exchange: Exchange, status: number, body: string): Promise<ResponseHead> {
  const head = await exchange.head()
  checkSame('the status', head.status, status)
  checkSame('the body', (await exchange.body()).toString('latin1'), body)
  return head
}

/** The end of a case that was about something else: the service answers, and the response passes. */
export async function finish(exchange: Exchange, call: ServiceCall): Promise<void> {
  call.answer(200, ['content-length', '2'], 'ok')
  await expectResponse(exchange, 200, 'ok')
}
