import type { RawHeaders, ResponseHead } from '../../protocol/head.js'
import { SWITCHING_PROTOCOLS, upgradesToWebSocket } from '../../protocol/upgrade.js'
import { parseResponseHead, parseTrailers } from './response-head.js'

/** Receives one response. Any of these calls may lead to `abandon()`. */
export interface ResponseSink {
  /** An interim response (1xx). */
  onInfo(head: ResponseHead): void
  /** `end`: no body follows, and no `onComplete`. After a 101, which was asked for, the body is raw bytes. */
  onResponse(head: ResponseHead, end: boolean): void
  onBody(chunk: Buffer): void
  /** `last` is the last piece of the body, if it is known to be that. */
  onComplete(last: Buffer | undefined, trailers: RawHeaders | undefined): void
}

type Phase =
  'idle' | 'head' | 'length' | 'chunk-size' | 'chunk-data' | 'chunk-end' | 'trailers' | 'until-close' | 'over'

/** What a server for HTTP/2 begins with, whatever it was sent: SETTINGS on stream 0 (RFC 9113 §3.4, §6.5). */
const HTTP2_SETTINGS = /^\0[^]{2}\x04[\0\x01]\0{4}/
const HTTP2_ADVICE = 'HTTP/2, which it must be spoken to in: set targetProtocol http2 (--target-protocol http2)'

const CR = 13
const LF = 10
/** Most heads are shorter: a large first read is not turned into text as a whole. */
const FIRST_LOOK_BYTES = 2048
/** RFC 9112 §7.1.1: chunk extensions are ignored, but a limit is due. */
const MAX_CHUNK_LINE_BYTES = 4096

/** Reads HTTP/1.1 responses (RFC 9112) from the bytes of one connection, one `begin()` each. */
export class ResponseParser {
  readonly #maxHeadBytes: number
  #phase: Phase = 'idle'
  #sink: ResponseSink | undefined
  #bodiless = false
  #upgrade = false
  /** Text of a head, chunk size line or trailer section that has not arrived in full. */
  #text = ''
  /** Of the body, or of the chunk. */
  #remaining = 0
  #keepAlive = false
  #keepAliveHint: number | undefined
  #started = false

  constructor(maxHeadBytes: number) {
    this.#maxHeadBytes = maxHeadBytes
  }

  /** `bodiless`: the request is a HEAD. `upgrade`: it asks for an upgrade to `websocket`. */
  begin(sink: ResponseSink, bodiless: boolean, upgrade = false): void {
    this.#sink = sink
    this.#bodiless = bodiless
    this.#upgrade = upgrade
    this.#phase = 'head'
    this.#started = false
  }

  /** Nothing more is told to the sink. */
  abandon(): void {
    this.#phase = 'over'
    this.#sink = undefined
    this.#text = ''
  }

  /** A byte of the response has come. */
  get started(): boolean {
    return this.#started
  }

  /** The response is complete. */
  get complete(): boolean {
    return this.#phase === 'idle'
  }

  /** The target will read another request from this connection. */
  get keepAlive(): boolean {
    return this.#keepAlive
  }

  /** Seconds that the target keeps an idle connection, if it said so. */
  get keepAliveHint(): number | undefined {
    return this.#keepAliveHint
  }

  /** Takes what came. Returns a complaint when it is no HTTP/1.1 response; nothing may be pushed after that. */
  push(chunk: Buffer): string | undefined {
    this.#started = true
    // The latest piece of the body, held until it is clear whether it is the last one.
    let held: Buffer | undefined
    let at = 0
    while (at < chunk.length) {
      switch (this.#phase) {
        case 'head': {
          const before = this.#text.length
          const text = this.#gather(chunk, at)
          // The empty line may come in pieces.
          const end = text.indexOf('\r\n\r\n', Math.max(0, before - 3))
          if (end === -1) {
            if (HTTP2_SETTINGS.test(text)) return HTTP2_ADVICE
            if (text.length > this.#maxHeadBytes) return 'the head is too large'
            this.#text = text
            return undefined
          }
          if (end > this.#maxHeadBytes) return 'the head is too large'
          at += end + 4 - before
          this.#text = ''
          const complaint = this.#onHead(text.slice(0, end))
          if (complaint !== undefined) return complaint
          break
        }
        case 'length': {
          const end = Math.min(chunk.length, at + this.#remaining)
          const piece = at === 0 && end === chunk.length ? chunk : chunk.subarray(at, end)
          this.#remaining -= end - at
          at = end
          if (this.#remaining > 0) this.#sink?.onBody(piece)
          else this.#finish(piece, undefined)
          break
        }
        case 'until-close':
          this.#sink?.onBody(at === 0 ? chunk : chunk.subarray(at))
          at = chunk.length
          break
        case 'chunk-size': {
          const newline = chunk.indexOf(LF, at)
          const end = newline === -1 ? chunk.length : newline + 1
          this.#text += chunk.toString('latin1', at, end)
          at = end
          if (this.#text.length > MAX_CHUNK_LINE_BYTES) return 'a chunk size line is too long'
          if (newline === -1) break
          const match = CHUNK_SIZE.exec(this.#text)
          this.#text = ''
          if (match === null) return 'an invalid chunk size'
          this.#remaining = parseInt(match[1] as string, 16)
          this.#phase = this.#remaining === 0 ? 'trailers' : 'chunk-data'
          break
        }
        case 'chunk-data': {
          if (held !== undefined) this.#sink?.onBody(held)
          const end = Math.min(chunk.length, at + this.#remaining)
          held = chunk.subarray(at, end)
          this.#remaining -= end - at
          at = end
          if (this.#remaining === 0) {
            this.#phase = 'chunk-end'
            this.#remaining = 2
          }
          break
        }
        case 'chunk-end':
          if (chunk[at] !== (this.#remaining === 2 ? CR : LF)) return 'a chunk does not end where it should'
          at++
          if (--this.#remaining === 0) this.#phase = 'chunk-size'
          break
        case 'trailers': {
          const before = this.#text.length
          const text = this.#gather(chunk, at)
          // The section may be empty, so its end is an empty line at its very start or after a line.
          const end = text.startsWith('\r\n') ? 0 : text.indexOf('\r\n\r\n') + 2
          if (end === 1) {
            if (text.length > this.#maxHeadBytes) return 'the trailers are too large'
            this.#text = text
            at = chunk.length
            break
          }
          if (end > this.#maxHeadBytes) return 'the trailers are too large'
          at += end + 2 - before
          this.#text = ''
          const trailers = end === 0 ? undefined : parseTrailers(text.slice(0, end))
          if (typeof trailers === 'string') return trailers
          this.#finish(held, trailers)
          held = undefined
          break
        }
        case 'idle':
          // Bytes that belong to no response: the connection cannot be trusted with another request.
          this.#keepAlive = false
          return undefined
        case 'over':
          return undefined
        default:
          this.#phase satisfies never
      }
    }
    if (held !== undefined) this.#sink?.onBody(held)
    return undefined
  }

  /** The target sends nothing more. True if that completed the response. */
  end(): boolean {
    if (this.#phase !== 'until-close') return this.#phase === 'idle'
    this.#finish(undefined, undefined)
    return true
  }

  #onHead(text: string): string | undefined {
    const parsed = parseResponseHead(text, this.#bodiless)
    if (typeof parsed === 'string') return parsed
    const { head, framing } = parsed
    if (head.status === SWITCHING_PROTOCOLS) {
      if (!this.#upgrade || !upgradesToWebSocket(head.headers)) return 'a switch of protocols that nobody asked for'
      // Raw bytes: all there is to know of them is where they end.
      this.#phase = 'until-close'
      this.#keepAlive = false
      this.#sink?.onResponse(head, false)
      return undefined
    }
    if (head.status < 200) {
      this.#sink?.onInfo(head)
      return undefined
    }
    this.#keepAlive = parsed.keepAlive
    this.#keepAliveHint = parsed.keepAliveHint
    switch (framing.kind) {
      case 'none': {
        const sink = this.#sink
        this.#phase = 'idle'
        this.#sink = undefined
        sink?.onResponse(head, true)
        return undefined
      }
      case 'length':
        this.#phase = 'length'
        this.#remaining = framing.bytes
        break
      case 'chunked':
        this.#phase = 'chunk-size'
        break
      case 'until-close':
        this.#phase = 'until-close'
        this.#keepAlive = false
        break
    }
    this.#sink?.onResponse(head, false)
    return undefined
  }

  #finish(last: Buffer | undefined, trailers: RawHeaders | undefined): void {
    const sink = this.#sink
    this.#phase = 'idle'
    this.#sink = undefined
    sink?.onComplete(last, trailers)
  }

  /** What was kept, and as much of `chunk` as may be needed to see the end of it. */
  #gather(chunk: Buffer, at: number): string {
    const all = Math.min(chunk.length, at + this.#maxHeadBytes + 4)
    if (chunk.length - at > FIRST_LOOK_BYTES) {
      const text = this.#text + chunk.toString('latin1', at, at + FIRST_LOOK_BYTES)
      if (text.includes('\r\n\r\n')) return text
    }
    return this.#text + chunk.toString('latin1', at, all)
  }
}

/** RFC 9112 §7.1; 13 digits stay below 2⁵³. */
const CHUNK_SIZE = /^([0-9a-fA-F]{1,13})[ \t]*(?:;[^\r\n]*)?\r\n$/
