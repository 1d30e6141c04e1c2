/** A client that asks for a WebSocket. Behind the 101 it has bytes: a router has no business with what they mean. */
import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { resetSocket } from '../../protocol/reset-socket.js'
import { CheckFailure, checkSame } from '../case.js'
import { Inbox } from '../inbox.js'
import { connect, oneLine, parseHead, readHead } from '../stream.js'
import type { Transcript } from '../transcript.js'
import type { ClientTarget } from './client.js'

export interface UpgradeOptions {
  /** Sent as it is. */
  readonly target: string
  /** The token. Default `websocket`. */
  readonly upgrade?: string
  /** Bytes right behind the head. Default none. */
  readonly early?: string
}

type StreamEvent = { readonly kind: 'bytes'; readonly bytes: Buffer } | { readonly kind: 'end' | 'cut' }

/** One connection, which it has to itself. */
export class UpgradeClient {
  readonly key = randomBytes(16).toString('base64')
  readonly #stream: Socket
  readonly #events = new Inbox<StreamEvent>('the connection to the public port', ({ kind }) => kind)
  readonly #timeout: number
  readonly #transcript: Transcript

  constructor({ url, insecure, timeout }: ClientTarget, options: UpgradeOptions, transcript: Transcript) {
    const { target, upgrade = 'websocket', early = '' } = options
    this.#timeout = timeout
    this.#transcript = transcript
    this.#stream = connect(url, { insecure, allowHalfOpen: true })
    this.#stream.on('error', () => {})
    const head = [
      `GET ${target} HTTP/1.1`,
      `Host: ${url.host}`,
      `Connection: keep-alive, Upgrade`,
      `Upgrade: ${upgrade}`,
      'Sec-WebSocket-Version: 13',
      `Sec-WebSocket-Key: ${this.key}`,
    ].join('\r\n')
    transcript.note('client', `${oneLine(head)}${early === '' ? '' : ` and ${JSON.stringify(early)}`}`)
    this.#stream.write(`${head}\r\n\r\n${early}`, 'latin1')
  }

  /** The final status. @throws CheckFailure when none comes */
  async status(): Promise<number> {
    const { head, rest } = await readHead(this.#stream, 'an answer to the upgrade', this.#timeout)
    this.#transcript.note('client', `gets ${oneLine(head)}`)
    if (rest.length > 0) this.#events.put({ kind: 'bytes', bytes: rest })
    this.#stream.on('data', (bytes: Buffer) => this.#events.put({ kind: 'bytes', bytes }))
    this.#stream.on('end', () => this.#events.put({ kind: 'end' }))
    this.#stream.on('close', () => this.#events.put({ kind: 'cut' }))
    this.#stream.resume()
    return parseHead(head).status
  }

  send(bytes: string): void {
    this.#stream.write(bytes, 'latin1')
  }

  /** Ends its own direction. */
  end(): void {
    this.#transcript.note('client', 'ends its direction')
    this.#stream.end()
  }

  leave(): void {
    this.#transcript.note('client', 'leaves')
    // A mere end would say that it still reads.
    resetSocket(this.#stream)
  }

  /** Waits for these bytes. @throws CheckFailure when others come, or none */
  async expect(text: string): Promise<void> {
    let received = ''
    while (received.length < text.length) received += (await this.#next(`${JSON.stringify(text)} for the client`)) ?? ''
    checkSame('the bytes for the client', received, text)
  }

  /** Waits for the other side's regular end. */
  async ended(): Promise<void> {
    const more = await this.#next('the end of the bytes for the client')
    if (more !== undefined) throw new CheckFailure('the end of the bytes for the client', JSON.stringify(more))
  }

  /** Waits until the other side has ended, and takes nothing any more. */
  async cut(): Promise<void> {
    const what = 'the end of the connection'
    const end = await this.#events.take(what, ({ kind }) => (kind === 'bytes' ? undefined : kind), this.#timeout)
    if (end === 'cut') return
    this.send('anybody?')
    await this.#events.take(`${what} for writing`, ({ kind }) => (kind === 'cut' ? kind : undefined), this.#timeout)
  }

  /** Undefined: the end. */
  async #next(what: string): Promise<string | undefined> {
    const event = await this.#events.take(what, (each) => each, this.#timeout)
    if (event.kind === 'cut') throw new CheckFailure(what, 'the connection was cut')
    return event.kind === 'bytes' ? event.bytes.toString('latin1') : undefined
  }
}
