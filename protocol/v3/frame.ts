/**
 * The 3.0 frame: `type u8 | flags u8 | request id int32 BE | payload`, one per binary WebSocket message. Types and codes
 * have HTTP/2's numbers (RFC 9113 §6, §7). Pure: bytes in, values out.
 */
import { V3_FRAME_HEADER_BYTES } from '../limits.js'

export const TYPE_DATA = 0
export const TYPE_HEADER = 1
export const TYPE_RST_STREAM = 3
export const TYPE_GOAWAY = 7
export const TYPE_WINDOW_UPDATE = 8

export const FLAG_END_STREAM = 1
export const FLAG_END_HEADERS = 4

/** RST_STREAM codes: what published routers and connectors send… */
export const RST_BY_ROUTER = 1
export const RST_BY_CONNECTOR = 1011
/** …and REFUSED_STREAM (RFC 9113 §7), only towards peers with the capability `refuse`. */
export const RST_REFUSED = 7

/** Longest RST_STREAM and GOAWAY text that we send or keep, bytes. */
const MAX_TEXT_BYTES = 200

const EMPTY = Buffer.alloc(0)

export type Frame =
  | { readonly kind: 'data'; readonly id: number; readonly end: boolean; readonly payload: Buffer }
  | {
      readonly kind: 'header'
      readonly id: number
      readonly end: boolean
      readonly endHeaders: boolean
      readonly payload: Buffer
    }
  /** `code` is undefined when the peer sent none. */
  | { readonly kind: 'rst'; readonly id: number; readonly code: number | undefined; readonly text: string }
  | { readonly kind: 'goaway'; readonly lastId: number; readonly code: number; readonly text: string }
  | { readonly kind: 'window-update'; readonly id: number; readonly increment: number }
  /** A type that we do not know, to be ignored. */
  | { readonly kind: 'unknown'; readonly id: number; readonly type: number }
  /** A known type whose payload cannot be read: ends its stream. */
  | { readonly kind: 'malformed'; readonly id: number; readonly type: number }
  /** Too short to be a frame at all: ends the socket. */
  | { readonly kind: 'short' }

const SHORT: Frame = { kind: 'short' }

/** Reads one message. Payloads are views on `message`. Never throws. */
export function decodeFrame(message: Buffer): Frame {
  if (message.length < V3_FRAME_HEADER_BYTES) return SHORT
  const type = message[0] as number
  const flags = message[1] as number
  const id = message.readInt32BE(2)
  switch (type) {
    case TYPE_DATA:
      return { kind: 'data', id, end: (flags & FLAG_END_STREAM) !== 0, payload: payloadOf(message) }
    case TYPE_HEADER:
      return {
        kind: 'header',
        id,
        end: (flags & FLAG_END_STREAM) !== 0,
        endHeaders: (flags & FLAG_END_HEADERS) !== 0,
        payload: payloadOf(message),
      }
    case TYPE_RST_STREAM:
      return message.length < V3_FRAME_HEADER_BYTES + 4
        ? { kind: 'rst', id, code: undefined, text: '' }
        : { kind: 'rst', id, code: message.readInt32BE(6), text: textOf(message, 10) }
    case TYPE_GOAWAY:
      return message.length < V3_FRAME_HEADER_BYTES + 8
        ? { kind: 'malformed', id, type }
        : { kind: 'goaway', lastId: message.readInt32BE(6), code: message.readInt32BE(10), text: textOf(message, 14) }
    case TYPE_WINDOW_UPDATE:
      return message.length < V3_FRAME_HEADER_BYTES + 4 || message.readInt32BE(6) < 0
        ? { kind: 'malformed', id, type }
        : { kind: 'window-update', id, increment: message.readInt32BE(6) }
    default:
      return { kind: 'unknown', id, type }
  }
}

function payloadOf(message: Buffer): Buffer {
  return message.length === V3_FRAME_HEADER_BYTES ? EMPTY : message.subarray(V3_FRAME_HEADER_BYTES)
}

/** A peer's text goes into logs and error messages: capped, and without control characters. */
function textOf(message: Buffer, start: number): string {
  return message
    .toString('utf8', start, Math.min(message.length, start + MAX_TEXT_BYTES))
    .replace(/[\x00-\x1f\x7f]/g, ' ')
}

/** The six bytes in front of a DATA payload. */
export function dataHead(id: number, end: boolean): Buffer {
  const head = Buffer.allocUnsafe(V3_FRAME_HEADER_BYTES)
  writeHead(head, TYPE_DATA, end ? FLAG_END_STREAM : 0, id)
  return head
}

/** A whole HEADER frame around `payload[start, end)`. */
export function headerFrame(id: number, flags: number, payload: Buffer, start: number, end: number): Buffer {
  const frame = Buffer.allocUnsafe(V3_FRAME_HEADER_BYTES + end - start)
  writeHead(frame, TYPE_HEADER, flags, id)
  payload.copy(frame, V3_FRAME_HEADER_BYTES, start, end)
  return frame
}

/** A whole HEADER frame with `text`, whose UTF-8 length is `bytes`. */
export function headerFrameOfText(id: number, flags: number, text: string, bytes: number): Buffer {
  const frame = Buffer.allocUnsafe(V3_FRAME_HEADER_BYTES + bytes)
  writeHead(frame, TYPE_HEADER, flags, id)
  frame.write(text, V3_FRAME_HEADER_BYTES, 'utf8')
  return frame
}

export function windowUpdateFrame(id: number, increment: number): Buffer {
  const frame = Buffer.allocUnsafe(V3_FRAME_HEADER_BYTES + 4)
  writeHead(frame, TYPE_WINDOW_UPDATE, 0, id)
  frame.writeInt32BE(increment, 6)
  return frame
}

export function rstFrame(id: number, code: number, text: string): Buffer {
  const words = shortText(text)
  const frame = Buffer.allocUnsafe(V3_FRAME_HEADER_BYTES + 4 + words.length)
  writeHead(frame, TYPE_RST_STREAM, 0, id)
  frame.writeInt32BE(code, 6)
  words.copy(frame, 10)
  return frame
}

export function goawayFrame(lastId: number, code: number, text: string): Buffer {
  const words = shortText(text)
  const frame = Buffer.allocUnsafe(V3_FRAME_HEADER_BYTES + 8 + words.length)
  writeHead(frame, TYPE_GOAWAY, 0, 0)
  frame.writeInt32BE(lastId, 6)
  frame.writeInt32BE(code, 10)
  words.copy(frame, 14)
  return frame
}

function writeHead(frame: Buffer, type: number, flags: number, id: number): void {
  frame[0] = type
  frame[1] = flags
  frame.writeInt32BE(id, 2)
}

function shortText(text: string): Buffer {
  const bytes = Buffer.from(text.slice(0, MAX_TEXT_BYTES), 'utf8')
  return bytes.length <= MAX_TEXT_BYTES ? bytes : bytes.subarray(0, codePointEnd(bytes, MAX_TEXT_BYTES))
}

/** The last place at or before `end` that lies between two code points of UTF-8 text. */
export function codePointEnd(bytes: Buffer, end: number): number {
  if (end >= bytes.length) return bytes.length
  let at = end
  while (at > 0 && ((bytes[at] as number) & 0xc0) === 0x80) at--
  return at
}
