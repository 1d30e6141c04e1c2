/** Errors as gRPC clients read them: a status in the head of a response without a body ("Trailers-Only"). */
import type { ResponseHead } from '../protocol/head.js'

/** Of the gRPC status codes. */
const UNKNOWN = 2
const DEADLINE_EXCEEDED = 4
const RESOURCE_EXHAUSTED = 8
const UNIMPLEMENTED = 12
const INTERNAL = 13
const UNAVAILABLE = 14

/** HTTP status → gRPC status: what gRPC clients themselves make of the former, as far as that says anything. */
const CODES: ReadonlyMap<number, number> = new Map([
  [400, INTERNAL],
  [404, UNIMPLEMENTED],
  [405, UNIMPLEMENTED],
  [408, DEADLINE_EXCEEDED],
  [431, RESOURCE_EXHAUSTED],
  [500, INTERNAL],
  [501, UNIMPLEMENTED],
  [502, UNAVAILABLE],
  [503, UNAVAILABLE],
  [504, UNAVAILABLE],
])

const NOTHING = Buffer.alloc(0)

/** @param status what any other client would be answered */
export function grpcAnswer(
  status: number,
  message: string,
  proxyStatus: string,
): { readonly head: ResponseHead; readonly body: Buffer } {
  const headers = [
    'Content-Type',
    'application/grpc',
    'Content-Length',
    '0',
    'Cache-Control',
    'no-store',
    'Proxy-Status',
    proxyStatus,
    'Grpc-Status',
    String(CODES.get(status) ?? UNKNOWN),
    'Grpc-Message',
    percentEncoded(message),
  ]
  return { head: { status: 200, reason: 'OK', headers }, body: NOTHING }
}

/** Of the UTF-8 bytes, all but printable ASCII, and `%`. */
function percentEncoded(message: string): string {
  let text = ''
  for (const byte of Buffer.from(message, 'utf8')) {
    const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x25
    text += plain ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return text
}
