/** A client of the public port: ordinary requests, and what an ordinary client makes of the answers. */
import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { CheckFailure, shown } from '../case.js'
import { Inbox } from '../inbox.js'
import { connect } from '../stream.js'
import type { Transcript } from '../transcript.js'

export interface ClientOptions {
  readonly method?: string
  /** Sent as it is. */
  readonly target: string
  /** `[name, value]`, in this order; `Host` is added unless given. */
  readonly fields?: readonly (readonly [name: string, value: string])[]
  /** A whole body, or `follows`: by `write` and `end`. */
  readonly body?: Buffer | 'follows'
}

export interface ClientResponse {
  readonly status: number
  /** As received, in order. */
  readonly fields: readonly (readonly [name: string, value: string])[]
  readonly message: IncomingMessage
}

export interface ClientTarget {
  readonly url: URL
  readonly insecure: boolean
  readonly timeout: number
}

type ClientEvent =
  { readonly kind: 'response'; readonly response: ClientResponse } | { readonly kind: 'failed'; readonly why: string }

/** One request on a connection of its own. */
export class Client {
  /** Statuses of interim responses. */
  readonly interim: number[] = []
  readonly #request: ClientRequest
  readonly #events = new Inbox<ClientEvent>('the public port', eventWords)
  readonly #target: ClientTarget
  readonly #transcript: Transcript
  #response: ClientResponse | undefined

  constructor(target: ClientTarget, options: ClientOptions, transcript: Transcript) {
    const { url, insecure } = target
    const { method = 'GET', fields = [], body } = options
    this.#target = target
    this.#transcript = transcript
    const host = fields.some(([name]) => name.toLowerCase() === 'host') ? [] : [['Host', url.host] as const]
    const framing = body === 'follows' ? [['Transfer-Encoding', 'chunked'] as const] : lengthOf(body, fields)
    const request = url.protocol === 'https:' ? httpsRequest : httpRequest
    this.#request = request({
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: url.port === '' ? undefined : Number(url.port),
      method,
      path: options.target,
      headers: [...host, ...fields, ...framing].flat(),
      agent: false,
      rejectUnauthorized: !insecure,
    })
    this.#say(`${method} ${options.target}`)
    this.#listen()
    if (body === undefined) this.#request.end()
    else if (body === 'follows') this.#request.flushHeaders()
    else this.#request.end(body)
  }

  write(bytes: Buffer): void {
    this.#request.write(bytes)
  }

  end(): void {
    this.#request.end()
  }

  /** Leaves: the connection is cut. */
  leave(): void {
    this.#say('leaves')
    this.#request.destroy()
  }

  /** @throws CheckFailure when none comes */
  async response(timeout = this.#target.timeout): Promise<ClientResponse> {
    if (this.#response !== undefined) return this.#response
    const event = await this.#events.take('a response for the client', (each) => each, timeout)
    if (event.kind === 'failed') throw new CheckFailure('a response for the client', event.why)
    this.#response = event.response
    return event.response
  }

  /** The response and its whole body. @throws CheckFailure when it breaks off */
  async whole(timeout = this.#target.timeout): Promise<{ readonly response: ClientResponse; readonly body: Buffer }> {
    const response = await this.response(timeout)
    return { response, body: await this.body(response) }
  }

  /** @throws CheckFailure when the body breaks off, or does not end */
  async body({ message }: ClientResponse): Promise<Buffer> {
    const { bytes, broken } = await collect(message, this.#target.timeout)
    if (broken !== undefined) {
      throw new CheckFailure('a complete response', `it broke off after ${String(bytes.length)} bytes: ${broken}`)
    }
    this.#say(`has the whole response, ${String(bytes.length)} bytes`)
    return bytes
  }

  /** A response whose body must break off visibly, or no response at all. @throws CheckFailure when it is complete */
  async broken(): Promise<void> {
    const event =
      this.#response === undefined
        ? await this.#events.take('a broken response', (each) => each, this.#target.timeout)
        : ({ kind: 'response', response: this.#response } as const)
    if (event.kind === 'failed') return
    const { bytes, broken } = await collect(event.response.message, this.#target.timeout)
    if (broken !== undefined) return
    const { status } = event.response
    throw new CheckFailure(
      'a response that breaks off visibly',
      `the client got a complete one: ${String(status)}, ${String(bytes.length)} bytes`,
    )
  }

  #listen(): void {
    this.#request.on('information', ({ statusCode }) => {
      this.interim.push(statusCode)
      this.#say(`gets the interim response ${String(statusCode)}`)
    })
    this.#request.on('response', (message) => {
      const status = message.statusCode ?? 0
      this.#say(`gets ${String(status)}`)
      // Until somebody reads.
      message.on('error', () => {})
      this.#events.put({ kind: 'response', response: { status, fields: pairs(message.rawHeaders), message } })
    })
    this.#request.on('error', (error) => {
      this.#events.put({ kind: 'failed', why: `the connection failed: ${error.message}` })
    })
  }

  #say(text: string): void {
    this.#transcript.note('client', text)
  }
}

/** Bytes on a connection to the public port, and everything that comes back until it ends or is silent for `quiet` ms. */
export function rawExchange(target: ClientTarget, bytes: string, quiet: number): Promise<string> {
  const { url, insecure, timeout } = target
  const socket = connect(url, { insecure })
  return new Promise((resolve) => {
    let received = ''
    const done = (): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve(received)
    }
    let timer = setTimeout(done, timeout)
    socket.on('data', (chunk: Buffer) => {
      received += chunk.toString('latin1')
      clearTimeout(timer)
      timer = setTimeout(done, quiet)
    })
    socket.on('close', done)
    socket.on('error', done)
    socket.write(bytes, 'latin1')
  })
}

/** All values of a field. */
export function valuesOf({ fields }: Pick<ClientResponse, 'fields'>, name: string): string[] {
  return fields.flatMap(([each, value]) => (each.toLowerCase() === name ? [value] : []))
}

function lengthOf(
  body: Buffer | undefined,
  fields: readonly (readonly [string, string])[],
): (readonly [string, string])[] {
  if (body === undefined || fields.some(([name]) => name.toLowerCase() === 'content-length')) return []
  return [['Content-Length', String(body.length)]]
}

function pairs(raw: readonly string[]): (readonly [string, string])[] {
  const result: (readonly [string, string])[] = []
  for (let i = 0; i + 1 < raw.length; i += 2) result.push([raw[i] as string, raw[i + 1] as string])
  return result
}

/** A body to its end, its breaking off, or `timeout` ms without a byte. */
function collect(message: IncomingMessage, timeout: number): Promise<{ bytes: Buffer; broken: string | undefined }> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    const done = (broken: string | undefined): void => {
      clearTimeout(timer)
      resolve({ bytes: Buffer.concat(chunks), broken })
    }
    const overdue = (): void => done(`nothing came for ${String(timeout)} ms`)
    let timer = setTimeout(overdue, timeout)
    message.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      clearTimeout(timer)
      timer = setTimeout(overdue, timeout)
    })
    message.on('end', () => done(undefined))
    message.on('error', (error) => done(error.message))
    message.on('close', () => done(message.complete ? undefined : 'the connection was cut'))
  })
}

function eventWords(event: ClientEvent): string {
  return event.kind === 'failed' ? event.why : `the response ${shown(event.response.status)}`
}
