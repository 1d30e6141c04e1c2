/** One direction of a tunnel's TCP stream, as a packet dump has it, cut into the messages that `describe` knows. */

import { OPCODE, type WireFrame, WireFrameReader } from '../check/websocket-frames.js'
import { MAX_MESSAGE_BYTES } from '../protocol/limits.js'
import type { Sender, TunnelMessage } from '../protocol/meaning.js'
import type { ProtocolVersion } from '../protocol/session.js'

export interface Stream {
  /** The start line and the fields of the handshake, if the stream begins with one. */
  readonly handshake: string | undefined
  /** The version that the handshake settles; a request only offers some. */
  readonly version: ProtocolVersion | undefined
  /** Connectors mask (RFC 6455 §5.3), routers do not. Undefined: there is no frame. */
  readonly from: Sender | undefined
  readonly messages: readonly TunnelMessage[]
  /** What could not be read. */
  readonly problem: string | undefined
}

/** Reads a stream from its beginning, or from the beginning of any frame. */
export function readWebSocketStream(bytes: Buffer): Stream {
  const handshake = handshakeOf(bytes)
  const rest = handshake === undefined ? bytes : bytes.subarray(Buffer.byteLength(handshake, 'latin1'))
  const version = handshake === undefined ? undefined : versionOf(handshake)
  const reader = new WireFrameReader(MAX_MESSAGE_BYTES)
  let frames: WireFrame[]
  try {
    frames = reader.push(rest)
  } catch (error) {
    return {
      handshake,
      version,
      from: undefined,
      messages: [],
      problem: `no WebSocket stream: ${(error as Error).message}`,
    }
  }
  const { messages, problem } = join(frames)
  const used = frames.reduce((sum, frame) => sum + frameBytes(frame), 0)
  const left = rest.length - used
  const from = frames[0] === undefined ? undefined : frames[0].masked ? 'connector' : 'router'
  const cut = left === 0 ? undefined : `the last ${String(left)} bytes are no whole WebSocket frame`
  return { handshake, version, from, messages, problem: problem ?? cut }
}

function handshakeOf(bytes: Buffer): string | undefined {
  if (!/^(?:GET |HTTP\/1\.1 \d{3})/.test(bytes.toString('latin1', 0, 12))) return undefined
  const end = bytes.indexOf('\r\n\r\n')
  return end === -1 ? undefined : bytes.toString('latin1', 0, end + 4)
}

function versionOf(handshake: string): ProtocolVersion | undefined {
  if (!handshake.startsWith('HTTP/1.1 101')) return undefined
  const chosen = /^sec-websocket-protocol:[ \t]*cranker_([13]\.0)[ \t]*\r$/im.exec(handshake)?.[1]
  return chosen === '3.0' ? '3.0' : '1.0'
}

function frameBytes({ payload, masked }: WireFrame): number {
  const length = payload.length <= 125 ? 2 : payload.length <= 0xffff ? 4 : 10
  return length + (masked ? 4 : 0) + payload.length
}

/** Puts fragmented messages together (RFC 6455 §5.4). */
function join(frames: readonly WireFrame[]): { messages: TunnelMessage[]; problem: string | undefined } {
  const messages: TunnelMessage[] = []
  let partial: { readonly opcode: number; readonly pieces: Buffer[] } | undefined
  for (const { fin, reserved, opcode, payload } of frames) {
    if (reserved !== 0)
      return { messages, problem: 'a WebSocket frame has reserved bits set: the stream is compressed, or none' }
    if (opcode >= OPCODE.close) {
      const message = control(opcode, payload)
      if (message === undefined)
        return { messages, problem: `a WebSocket frame has the unknown opcode ${String(opcode)}` }
      messages.push(message)
      continue
    }
    if (opcode !== OPCODE.continuation) partial = { opcode, pieces: [] }
    if (partial === undefined) return { messages, problem: 'the stream begins inside a fragmented message' }
    partial.pieces.push(payload)
    if (!fin) continue
    const data = Buffer.concat(partial.pieces)
    messages.push(
      partial.opcode === OPCODE.text ? { kind: 'text', text: data.toString('utf8') } : { kind: 'binary', data },
    )
    partial = undefined
  }
  return { messages, problem: partial === undefined ? undefined : 'the last message is not complete' }
}

function control(opcode: number, payload: Buffer): TunnelMessage | undefined {
  switch (opcode) {
    case OPCODE.close:
      return payload.length < 2
        ? { kind: 'close', code: 1005, reason: '' }
        : { kind: 'close', code: payload.readUInt16BE(0), reason: payload.toString('utf8', 2) }
    case OPCODE.ping:
      return { kind: 'ping', data: payload }
    case OPCODE.pong:
      return { kind: 'pong', data: payload }
    default:
      return undefined
  }
}
