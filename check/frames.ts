/** 3.0 frames as a case writes and expects them, well-formed or not (docs/protocol.md, section 5.1). */
import { V3_FRAME_HEADER_BYTES } from '../protocol/limits.js'
import {
  decodeFrame,
  FLAG_END_HEADERS,
  FLAG_END_STREAM,
  TYPE_DATA,
  TYPE_GOAWAY,
  TYPE_HEADER,
  TYPE_RST_STREAM,
  TYPE_WINDOW_UPDATE,
  type Frame,
} from '../protocol/v3/frame.js'
import type { RawSocket, SocketEvent } from './socket.js'

/** Any frame, of any type. */
export function rawFrame(type: number, flags: number, id: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const frame = Buffer.alloc(V3_FRAME_HEADER_BYTES + payload.length)
  frame.writeUInt8(type, 0)
  frame.writeUInt8(flags, 1)
  frame.writeInt32BE(id, 2)
  payload.copy(frame, V3_FRAME_HEADER_BYTES)
  return frame
}

/** `endStream` default false, `endHeaders` default true. */
export function header(
  id: number,
  text: string | Buffer,
  flags: { readonly endStream?: boolean; readonly endHeaders?: boolean } = {},
): Buffer {
  const bits = (flags.endStream === true ? FLAG_END_STREAM : 0) | (flags.endHeaders === false ? 0 : FLAG_END_HEADERS)
  return rawFrame(TYPE_HEADER, bits, id, Buffer.from(text))
}

export function data(id: number, bytes: string | Buffer, endStream = false): Buffer {
  return rawFrame(TYPE_DATA, endStream ? FLAG_END_STREAM : 0, id, Buffer.from(bytes))
}

export function rst(id: number, code: number, text = ''): Buffer {
  return rawFrame(TYPE_RST_STREAM, 0, id, Buffer.concat([int32(code), Buffer.from(text)]))
}

export function windowUpdate(id: number, increment: number): Buffer {
  return rawFrame(TYPE_WINDOW_UPDATE, 0, id, int32(increment))
}

export function goaway(lastId: number, code: number, text: string): Buffer {
  return rawFrame(TYPE_GOAWAY, 0, 0, Buffer.concat([int32(lastId), int32(code), Buffer.from(text)]))
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

/** The frame in an event, undefined when it is none. */
export function frameOf(event: SocketEvent): Frame | undefined {
  return event.kind === 'binary' ? decodeFrame(event.bytes) : undefined
}

/**
 * The next frame for which `match` gives something; other events stay.
 * @throws CheckFailure "expected {what}"
 */
export function takeFrame<T>(
  socket: RawSocket,
  what: string,
  match: (frame: Frame) => T | undefined,
  timeout: number,
): Promise<T> {
  return socket.inbox.take(
    what,
    (event) => {
      const frame = frameOf(event)
      return frame === undefined ? undefined : match(frame)
    },
    timeout,
  )
}
