/**
 * A WebSocket that does exactly what a case says, in either role, and hides nothing: fragments, masks, control frames,
 * the close code and the end of the TCP connection are all events that a case can wait for.
 */
import { randomBytes } from 'node:crypto'
import type { Duplex } from 'node:stream'
import type { TunnelMessage } from '../protocol/meaning.js'
import type { ProtocolVersion } from '../protocol/session.js'
import { shown } from './case.js'
import { Inbox } from './inbox.js'
import type { Transcript } from './transcript.js'
import { encodeWireFrame, MAX_CONTROL_BYTES, OPCODE, WireFrameReader, type WireFrame } from './websocket-frames.js'

export type SocketEvent =
  /** A data message, put together from `fragments` frames. */
  | { readonly kind: 'text' | 'binary'; readonly bytes: Buffer; readonly fragments: number }
  | { readonly kind: 'ping' | 'pong'; readonly bytes: Buffer }
  /** A Close frame; 1005: it had no code. */
  | { readonly kind: 'close'; readonly code: number; readonly reason: string }
  /** The TCP connection has ended; `error` when it was reset or broke. */
  | { readonly kind: 'end'; readonly error: string | undefined }

export interface SocketOptions {
  /** For transcripts: `socket 1`. */
  readonly name: string
  /** Clients mask what they send, and servers end the TCP connection after the closing handshake. */
  readonly role: 'client' | 'server'
  readonly version: ProtocolVersion
  readonly transcript: Transcript
  /** Sees every event, also those that no case waits for. */
  readonly onEvent?: ((event: SocketEvent) => void) | undefined
}

/** Far more than any peer sends at once; a peer that sends more ends its case. */
const MAX_PAYLOAD = 16 * 1024 * 1024

export class RawSocket {
  readonly name: string
  readonly role: 'client' | 'server'
  readonly version: ProtocolVersion
  /** Everything that has come and no case has taken yet. */
  readonly inbox: Inbox<SocketEvent>
  /** Sockets outlive cases: each writes what it sees into its own transcript. */
  transcript: Transcript
  /** Answer pings at once, as RFC 6455 §5.5.2 asks. */
  autoPong = true
  /** Answer the peer's Close frame. */
  autoClose = true
  /** What broke RFC 6455 itself: unmasked frames, oversized control frames, reserved bits. */
  readonly faults: string[] = []
  /** How the socket was closed, if it was. */
  closed: Extract<SocketEvent, { kind: 'close' | 'end' }> | undefined
  readonly #stream: Duplex
  readonly #reader = new WireFrameReader(MAX_PAYLOAD)
  #partial: { readonly opcode: number; readonly pieces: Buffer[] } | undefined
  #closeSent = false
  #ended = false
  readonly #onEvent: ((event: SocketEvent) => void) | undefined

  /** `head`: what came right behind the handshake. */
  constructor(stream: Duplex, head: Buffer, options: SocketOptions) {
    this.name = options.name
    this.role = options.role
    this.version = options.version
    this.transcript = options.transcript
    this.inbox = new Inbox<SocketEvent>(options.name, eventWords)
    this.#stream = stream
    this.#onEvent = options.onEvent
    stream.on('error', (error) => {
      this.#end(error.message)
    })
    stream.on('end', () => {
      this.#end(undefined)
    })
    stream.on('close', () => {
      this.#end(undefined)
    })
    if (head.length > 0) stream.unshift(head)
    stream.on('data', (chunk: Buffer) => {
      this.#receive(chunk)
    })
  }

  /** Neither side has said Close, and the connection stands. */
  get open(): boolean {
    return this.closed === undefined && !this.#closeSent && !this.#ended
  }

  /** Whether the TCP connection has ended. */
  get ended(): boolean {
    return this.#ended
  }

  sendText(text: string): void {
    this.#record({ kind: 'text', text })
    this.sendWireFrame(OPCODE.text, Buffer.from(text, 'utf8'))
  }

  sendBinary(bytes: Buffer): void {
    this.#record({ kind: 'binary', data: bytes })
    this.sendWireFrame(OPCODE.binary, bytes)
  }

  /** One message as several WebSocket frames. */
  sendFragments(kind: 'text' | 'binary', pieces: readonly Buffer[]): void {
    this.note(`the next message comes in ${String(pieces.length)} WebSocket fragments`)
    this.#record(dataMessage(kind, Buffer.concat(pieces)))
    pieces.forEach((piece, index) => {
      this.sendWireFrame(index === 0 ? OPCODE[kind] : OPCODE.continuation, piece, index === pieces.length - 1)
    })
  }

  ping(payload: Buffer = Buffer.alloc(0)): void {
    this.#record({ kind: 'ping', data: payload })
    this.sendWireFrame(OPCODE.ping, payload)
  }

  pong(payload: Buffer = Buffer.alloc(0)): void {
    this.#record({ kind: 'pong', data: payload })
    this.sendWireFrame(OPCODE.pong, payload)
  }

  /** Sends a Close frame; 1005: without a code. The TCP connection ends when the peer has answered. */
  close(code = 1000, reason = ''): void {
    if (this.#closeSent) return
    this.#closeSent = true
    const payload = Buffer.alloc(code === 1005 ? 0 : 2 + Buffer.byteLength(reason))
    if (code !== 1005) {
      payload.writeUInt16BE(code, 0)
      payload.write(reason, 2)
    }
    this.#record({ kind: 'close', code, reason })
    this.sendWireFrame(OPCODE.close, payload)
    if (this.closed?.kind === 'close') this.#finish()
  }

  /** Any single frame, also one that no WebSocket library would send. Not recorded: say what it is with `note`. */
  sendWireFrame(opcode: number, payload: Buffer, fin = true): void {
    const masking = this.role === 'client' ? { mask: randomBytes(4) } : {}
    this.sendRaw(encodeWireFrame(opcode, payload, { fin, ...masking }))
  }

  /** Bytes that are no frame at all. */
  sendRaw(bytes: Buffer): void {
    if (!this.#ended && this.#stream.writable) this.#stream.write(bytes)
  }

  /** A line in the transcript. */
  note(text: string): void {
    this.transcript.note(this.name, text)
  }

  /** Stops reading: the peer's only brake on 1.0, and what a slow client looks like. */
  pause(): void {
    this.#stream.pause()
  }

  resume(): void {
    this.#stream.resume()
  }

  /** Cuts the TCP connection without a Close frame. */
  destroy(): void {
    if (!this.#ended) this.note('the kit cuts the connection')
    this.#stream.destroy()
  }

  #put(event: SocketEvent): void {
    this.inbox.put(event)
    this.#onEvent?.(event)
  }

  #record(message: TunnelMessage): void {
    this.transcript.message(this.name, this.role === 'server' ? 'router' : 'connector', this.version, message)
  }

  #heard(message: TunnelMessage): void {
    this.transcript.message(this.name, this.role === 'server' ? 'connector' : 'router', this.version, message)
  }

  #receive(chunk: Buffer): void {
    let frames: WireFrame[]
    try {
      frames = this.#reader.push(chunk)
    } catch (error) {
      this.faults.push((error as Error).message)
      this.#stream.destroy(error as Error)
      return
    }
    for (const frame of frames) this.#frame(frame)
  }

  #frame(frame: WireFrame): void {
    const { opcode, payload } = frame
    if (frame.reserved !== 0) this.faults.push('a frame with reserved bits (RFC 6455 §5.2): is it compressed?')
    if (frame.masked !== (this.role === 'server'))
      this.faults.push(`a frame that is ${frame.masked ? 'masked' : 'not masked'} (RFC 6455 §5.1)`)
    if (opcode >= 8) {
      if (payload.length > MAX_CONTROL_BYTES || !frame.fin)
        this.faults.push(`a control frame of ${String(payload.length)} bytes, or fragmented (RFC 6455 §5.5)`)
      this.#control(opcode, payload)
      return
    }
    if (opcode !== OPCODE.continuation) {
      if (this.#partial !== undefined) this.faults.push('a message that begins inside another one (RFC 6455 §5.4)')
      this.#partial = { opcode, pieces: [] }
    }
    const partial = this.#partial
    if (partial === undefined) {
      this.faults.push('a continuation of nothing (RFC 6455 §5.4)')
      return
    }
    partial.pieces.push(payload)
    if (!frame.fin) return
    this.#partial = undefined
    const kind = partial.opcode === OPCODE.text ? 'text' : 'binary'
    const bytes = partial.pieces.length === 1 ? payload : Buffer.concat(partial.pieces)
    this.#heard(dataMessage(kind, bytes))
    this.#put({ kind, bytes, fragments: partial.pieces.length })
  }

  #control(opcode: number, payload: Buffer): void {
    if (opcode === OPCODE.close) {
      const code = payload.length < 2 ? 1005 : payload.readUInt16BE(0)
      const reason = payload.toString('utf8', 2)
      this.closed ??= { kind: 'close', code, reason }
      this.#heard({ kind: 'close', code, reason })
      if (this.#closeSent) this.#finish()
      else if (this.autoClose) this.close(code, reason)
      this.#put({ kind: 'close', code, reason })
      return
    }
    const kind = opcode === OPCODE.ping ? 'ping' : 'pong'
    this.#heard({ kind, data: payload })
    if (kind === 'ping' && this.autoPong) this.pong(payload)
    this.#put({ kind, bytes: payload })
  }

  /** RFC 6455 §7.1.1: the server closes the TCP connection first. */
  #finish(): void {
    if (this.role === 'server') this.#stream.end()
  }

  #end(error: string | undefined): void {
    if (this.#ended) return
    this.#ended = true
    this.closed ??= { kind: 'end', error }
    this.note(error === undefined ? 'the TCP connection ends' : `the TCP connection breaks: ${error}`)
    this.#put({ kind: 'end', error })
    this.inbox.finish()
    this.#stream.destroy()
  }
}

function dataMessage(kind: 'text' | 'binary', bytes: Buffer): TunnelMessage {
  return kind === 'text' ? { kind, text: bytes.toString('utf8') } : { kind, data: bytes }
}

/** For failures: what came instead. Pings and pongs come all the time and are left out. */
function eventWords(event: SocketEvent): string | undefined {
  switch (event.kind) {
    case 'text':
      return `the text ${shown(event.bytes.toString('utf8'))}`
    case 'binary':
      return `a binary message of ${String(event.bytes.length)} bytes`
    case 'ping':
    case 'pong':
      return undefined
    case 'close':
      return event.code === 1005 ? 'a Close frame without a code' : `a Close frame with ${String(event.code)}`
    case 'end':
      return event.error === undefined ? 'the end of the TCP connection' : `a broken connection (${event.error})`
  }
}
