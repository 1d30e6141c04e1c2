/** What a message of either protocol version says, as values: for tools that show it. Never throws, judges leniently. */
import { CrankerError } from './errors.js'
import type { RequestHead, ResponseHead } from './head.js'
import { decodeRequestHead, decodeResponseHead } from './head-text.js'
import { V1_MAX_MESSAGE_BYTES, V3_FRAME_HEADER_BYTES } from './limits.js'
import { fieldsWithoutSecrets, isUtf8, withoutSecrets } from './printable.js'
import type { ProtocolVersion } from './session.js'
import { BODY_ENDS, decodeRequestText, isBodyEnd } from './v1/request-text.js'
import {
  codePointEnd,
  decodeFrame,
  FLAG_END_HEADERS,
  FLAG_END_STREAM,
  type Frame,
  TYPE_DATA,
  TYPE_HEADER,
} from './v3/frame.js'

/** Who sent a message. */
export type Sender = 'router' | 'connector'

/** What passes through a tunnel's WebSocket. */
export type TunnelMessage =
  | { readonly kind: 'binary'; readonly data: Buffer }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'ping' | 'pong'; readonly data: Buffer }
  /** 1005: a Close frame without a code. 1006: no Close frame at all, the connection was lost. */
  | { readonly kind: 'close'; readonly code: number; readonly reason: string }

export interface MeaningOptions {
  /** Hides the values of fields that carry secrets, such as `authorization` and `cookie`. Default false. */
  readonly redact?: boolean | undefined
  /** Who sent it, where that is known: a head is read as theirs. */
  readonly from?: Sender | undefined
  /**
   * 3.0: whether an earlier HEADER frame of the same exchange was not the end of its head. Left out, the payload
   * itself has to tell.
   */
  readonly continued?: boolean | undefined
}

/** One message, taken apart. What a message does not have is undefined. */
export interface Meaning {
  /**
   * 3.0: DATA, HEADER, RST_STREAM, GOAWAY, WINDOW_UPDATE, UNKNOWN, SHORT. 1.0: REQUEST, RESPONSE, BODY, BODY_END.
   * Either: PING, PONG, CLOSE, TEXT.
   */
  readonly name: string
  /** The request id (3.0). */
  readonly id?: number | undefined
  /** Names of the flags that are set, and the rest as a number: `END_STREAM`, `0x80`. */
  readonly flags?: readonly string[] | undefined
  /** Of the payload: without the six bytes in front of a 3.0 frame. */
  readonly bytes: number
  /** RST_STREAM, GOAWAY, CLOSE. */
  readonly code?: number | undefined
  readonly lastId?: number | undefined
  readonly increment?: number | undefined
  /** Head text, or the words of RST_STREAM, GOAWAY and CLOSE. */
  readonly text?: string | undefined
  /** A head that is complete in this message. */
  readonly head?: RequestHead | ResponseHead | undefined
  /** Bytes that are no text. */
  readonly payload?: Buffer | undefined
  /** What is wrong with it. */
  readonly problem?: string | undefined
}

/** Takes a message apart. */
export function meaningOf(version: ProtocolVersion, message: TunnelMessage, options: MeaningOptions = {}): Meaning {
  switch (message.kind) {
    case 'ping':
    case 'pong':
      return { name: message.kind.toUpperCase(), bytes: message.data.length, payload: message.data }
    case 'close':
      return { name: 'CLOSE', bytes: Buffer.byteLength(message.reason), code: message.code, text: message.reason }
    case 'text':
      return version === '1.0' ? ofText(message.text, options) : ofStrayText(message.text)
    case 'binary':
      return version === '1.0' ? ofBody(message.data) : ofFrame(message.data, options)
  }
}

// 3.0

function ofStrayText(text: string): Meaning {
  const problem = '3.0 has no text messages; receivers ignore it'
  return { name: 'TEXT', bytes: Buffer.byteLength(text), text, problem }
}

function ofFrame(message: Buffer, options: MeaningOptions): Meaning {
  const frame = decodeFrame(message)
  if (frame.kind === 'short') {
    const problem = `shorter than a frame's first ${V3_FRAME_HEADER_BYTES} bytes; receivers close the socket`
    return { name: 'SHORT', bytes: message.length, payload: message, problem }
  }
  const type = message[0] as number
  const payload = message.subarray(V3_FRAME_HEADER_BYTES)
  const common = {
    id: message.readInt32BE(2),
    flags: flagNames(type, message[1] as number),
    bytes: payload.length,
  }
  const stray = idProblem(frame, common.id)
  switch (frame.kind) {
    case 'data':
      return { name: 'DATA', ...common, payload, problem: stray }
    case 'header':
      return { name: 'HEADER', ...common, ...ofHeadPart(frame, options, stray) }
    case 'rst': {
      const { code, text } = frame
      const half = payload.length > 0 && payload.length < 4 ? 'its code is cut off' : undefined
      return { name: 'RST_STREAM', ...common, code, text, problem: stray ?? half }
    }
    case 'goaway': {
      const { lastId, code, text } = frame
      return { name: 'GOAWAY', ...common, lastId, code, text, problem: stray }
    }
    case 'window-update':
      return { name: 'WINDOW_UPDATE', ...common, increment: frame.increment, problem: stray }
    case 'unknown': {
      const problem = `type ${type} is not known; receivers ignore it`
      return { name: 'UNKNOWN', ...common, payload, problem }
    }
    case 'malformed': {
      const [name, expected] =
        type === 8
          ? ['WINDOW_UPDATE', 'an int32 increment of at least 0']
          : ['GOAWAY', 'an int32 last id and an int32 code']
      return { name, ...common, payload, problem: `its payload is not ${expected}` }
    }
  }
}

function flagNames(type: number, flags: number): string[] {
  const names: string[] = []
  let rest = flags
  const take = (bit: number, name: string): void => {
    if ((rest & bit) === 0) return
    rest &= ~bit
    names.push(name)
  }
  if (type === TYPE_DATA || type === TYPE_HEADER) take(FLAG_END_STREAM, 'END_STREAM')
  if (type === TYPE_HEADER) take(FLAG_END_HEADERS, 'END_HEADERS')
  if (rest !== 0) names.push(`0x${rest.toString(16).padStart(2, '0')}`)
  return names
}

function idProblem(frame: Frame, id: number): string | undefined {
  if (frame.kind === 'goaway') return id === 0 ? undefined : 'GOAWAY is about the socket: its id is 0'
  return id < 1 ? 'request ids start at 1' : undefined
}

type HeaderFrame = Extract<Frame, { kind: 'header' }>

function ofHeadPart(
  { payload, endHeaders }: HeaderFrame,
  options: MeaningOptions,
  stray: string | undefined,
): Pick<Meaning, 'text' | 'head' | 'problem'> {
  const raw = payload.toString('utf8')
  const starts = hasStartLine(raw)
  const continued = options.continued ?? !starts
  const text = options.redact === true ? withoutSecrets(raw, continued) : raw
  const problem = stray ?? encodingProblem(payload, endHeaders, continued)
  // A part of a head is not read further; fields without a first line are trailers (section 9.2).
  const whole = endHeaders && options.continued !== true && (starts || options.continued === false)
  if (!whole || (!starts && /^[^\s:]+:/.test(raw))) return { text, problem }
  const read = readHead(raw, options)
  return { text, head: read.head, problem: problem ?? read.problem }
}

/** Peers that decode each part alone cannot join a code point that is split (section 5.2). */
function encodingProblem(payload: Buffer, endHeaders: boolean, continued: boolean): string | undefined {
  if (isUtf8(payload)) return undefined
  if (!endHeaders && isUtf8(payload.subarray(0, codePointEnd(payload, payload.length - 1)))) {
    return 'a code point is split at the end of this part'
  }
  return continued && ((payload[0] as number) & 0xc0) === 0x80 ? 'it begins within a code point' : 'it is not UTF-8'
}

// 1.0

function ofBody(data: Buffer): Meaning {
  return { name: 'BODY', bytes: data.length, payload: data, problem: sizeProblem(data.length) }
}

function ofText(raw: string, options: MeaningOptions): Meaning {
  const bytes = Buffer.byteLength(raw)
  const { from } = options
  if (isBodyEnd(raw) && from !== 'connector') return { name: 'BODY_END', bytes, text: BODY_ENDS }
  const text = options.redact === true ? withoutSecrets(raw, false) : raw
  const isRequest = from === 'router' || (from === undefined && /\n_[12]\s*$/.test(raw))
  if (!isRequest)
    return { name: 'RESPONSE', bytes, text, ...withSize(readHead(raw, { ...options, from: 'connector' }), bytes) }
  const read = attempt(() => decodeRequestText(raw).head, options)
  const problem =
    read.problem ?? (/\n\r?\n_[12]\s*$/.test(raw) ? undefined : 'the empty line before the marker is missing')
  return { name: 'REQUEST', bytes, text, ...withSize({ ...read, problem }, bytes) }
}

function withSize(read: Pick<Meaning, 'head' | 'problem'>, bytes: number): Pick<Meaning, 'head' | 'problem'> {
  return { ...read, problem: read.problem ?? sizeProblem(bytes) }
}

function sizeProblem(bytes: number): string | undefined {
  if (bytes <= V1_MAX_MESSAGE_BYTES) return undefined
  return `more than ${V1_MAX_MESSAGE_BYTES} bytes: some peers cannot read it`
}

// Heads

const REQUEST_LINE = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+ \S+ HTTP\/\d/
const STATUS_LINE = /^(?:HTTP\/\S*)? +\d{3}(?:[ \r\n]|$)/

function hasStartLine(text: string): boolean {
  return REQUEST_LINE.test(text) || STATUS_LINE.test(text)
}

function readHead(text: string, options: MeaningOptions): Pick<Meaning, 'head' | 'problem'> {
  const isResponse = options.from === undefined ? STATUS_LINE.test(text) : options.from === 'connector'
  return attempt(() => (isResponse ? decodeResponseHead(text) : decodeRequestHead(text)), options)
}

function attempt(
  read: () => RequestHead | ResponseHead,
  { redact }: MeaningOptions,
): Pick<Meaning, 'head' | 'problem'> {
  try {
    const head = read()
    return { head: redact === true ? { ...head, headers: fieldsWithoutSecrets(head.headers) } : head }
  } catch (error) {
    if (error instanceof CrankerError) return { problem: error.message }
    throw error
  }
}
