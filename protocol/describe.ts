/**
 * One readable line for each message of a tunnel, in the words of docs/protocol.md: for `cranker decode`, traces and the
 * reports of `cranker check`.
 *
 *     HEADER #7 END_STREAM|END_HEADERS 21 B "GET /x HTTP/1.1⏎a:b⏎"
 *     DATA #7 END_STREAM 5 B "hello"
 *     WINDOW_UPDATE #7 +16384
 *     RST_STREAM #7 1011 "CRANKER_ERR_TARGET_FAILED"
 *     REQUEST 33 B "GET /x HTTP/1.1⏎a:b⏎⏎_2"
 *     CLOSE 1001 "Going away"
 */
import { type Meaning, type MeaningOptions, meaningOf, type Sender, type TunnelMessage } from './meaning.js'
import { preview, quoted } from './printable.js'
import type { ProtocolVersion } from './session.js'

export interface DescribeOptions extends MeaningOptions {
  /** Most bytes shown of a body. Default 48. */
  readonly bodyBytes?: number | undefined
  /** Most characters shown of a head. Default 2,000. */
  readonly headChars?: number | undefined
}

const BODY_BYTES = 48
const HEAD_CHARS = 2_000
const WORDS_CHARS = 200

/**
 * One line without a line end. With `from` it begins with an arrow: `→` is from the router to the connector, `←` back.
 * What is wrong with the message stands behind a `✗`.
 */
export function describeMessage(
  version: ProtocolVersion,
  message: TunnelMessage,
  options: DescribeOptions = {},
): string {
  return describeMeaning(meaningOf(version, message, options), options)
}

/** The arrow of a direction, as in docs/protocol.md. */
export function arrow(from: Sender): string {
  return from === 'router' ? '→' : '←'
}

/** The same for a message that was taken apart before. */
export function describeMeaning(meaning: Meaning, options: DescribeOptions = {}): string {
  const words: string[] = []
  if (options.from !== undefined) words.push(arrow(options.from))
  words.push(meaning.name)
  if (meaning.id !== undefined && meaning.name !== 'GOAWAY') words.push(`#${meaning.id}`)
  if (meaning.flags !== undefined && meaning.flags.length > 0) words.push(meaning.flags.join('|'))
  words.push(...content(meaning, options))
  if (meaning.problem !== undefined) words.push(`✗ ${meaning.problem}`)
  return words.join(' ')
}

function content(meaning: Meaning, options: DescribeOptions): string[] {
  const { name, text, payload, bytes } = meaning
  const size = `${bytes} B`
  const bodyBytes = options.bodyBytes ?? BODY_BYTES
  const spoken = text === undefined || text === '' ? [] : [quoted(text, WORDS_CHARS)]
  switch (name) {
    case 'BODY_END':
      return spoken
    case 'CLOSE':
      return meaning.code === 1005 ? ['without a code'] : [String(meaning.code), ...spoken]
    case 'RST_STREAM':
      return meaning.code === undefined ? ['without a code'] : [String(meaning.code), ...spoken]
    case 'GOAWAY':
      if (payload !== undefined) return [size, preview(payload, bodyBytes)]
      return [`last=${meaning.lastId ?? ''}`, `code=${meaning.code ?? ''}`, ...spoken]
    case 'WINDOW_UPDATE':
      if (payload !== undefined) return [size, preview(payload, bodyBytes)]
      return [`+${meaning.increment ?? ''}`]
    default:
      if (text !== undefined) return [size, quoted(text, options.headChars ?? HEAD_CHARS)]
      return payload === undefined || payload.length === 0 ? [size] : [size, preview(payload, bodyBytes)]
  }
}
