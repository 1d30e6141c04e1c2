/** What `cranker decode` is given, as bytes: hex in the ways in which tools print it, base64, or the bytes themselves. */

import { UsageError } from './values.js'

export type InputFormat = 'auto' | 'hex' | 'base64' | 'binary'

/** Bytes that belong together: one message, or a piece of a stream. */
export interface Chunk {
  readonly bytes: Buffer
  /** Where in the input it began, for messages about it; undefined when the input has no lines. */
  readonly line: number | undefined
}

const HEX_LINE = /^[\s0-9a-fA-Fx:,]*$/
const BASE64 = /^[A-Za-z0-9+/_\s-]+={0,2}\s*$/
/** xxd and tcpdump: `00000010: 4745 5420  GET `, `0x0010:  4745 5420`. Two spaces are before the text. */
const COLON_DUMP = /^\s*(?:0x)?[0-9a-f]{4,8}:\s+((?:[0-9a-f]{2,4} ?)+)(?: .*)?$/i
/** hexdump -C: `00000010  47 45 54 20  2f 20  |GET / |`. */
const BAR_DUMP = /^\s*[0-9a-f]{4,8}\s\s((?:[0-9a-f]{2}\s+)+)\|.*\|\s*$/i
/** Its last line, which only says where the dump ends. */
const BAR_DUMP_END = /^\s*[0-9a-f]{7,8}\s*$/i
const FIRST_OFFSET = /^\s*(?:0x)?0+[:\s]/i

/** The digits of a line of a dump, undefined when it is none. */
function dumped(line: string): string | undefined {
  return (COLON_DUMP.exec(line) ?? BAR_DUMP.exec(line))?.[1]
}

/**
 * The chunks of an input. Text: a line is a message; where blank lines part groups of lines, and for dumps with offsets,
 * a group is one. Bytes are one chunk.
 * @throws UsageError when the input is not in that format
 */
export function readChunks(input: Buffer, format: InputFormat): Chunk[] {
  const chosen = format === 'auto' ? guess(input) : format
  if (chosen === 'binary') return input.length === 0 ? [] : [{ bytes: input, line: undefined }]
  const parse = chosen === 'hex' ? fromHex : fromBase64
  return groups(input.toString('utf8')).map(({ text, line }) => ({ bytes: parse(text, line), line }))
}

function guess(input: Buffer): InputFormat {
  const text = input.toString('latin1')
  const lines = text.split('\n').filter((line) => line.trim() !== '' && !isComment(line))
  if (lines.length > 0 && lines.every((line) => HEX_LINE.test(line) || dumped(line) !== undefined)) return 'hex'
  return text.trim().length >= 8 && BASE64.test(text) ? 'base64' : 'binary'
}

function isComment(line: string): boolean {
  return /^\s*#/.test(line)
}

interface Group {
  readonly text: string
  readonly line: number
}

function groups(text: string): Group[] {
  const result: { readonly lines: string[]; readonly line: number }[] = []
  let open: (typeof result)[number] | undefined
  const lines = text.trimEnd().split(/\r?\n/)
  const grouped = lines.some((line, i) => line.trim() === '' && i > 0)
  lines.forEach((line, index) => {
    if (isComment(line)) return
    if (line.trim() === '') {
      open = undefined
    } else if (open !== undefined && (grouped || continuesDump(open.lines, line))) {
      open.lines.push(line)
    } else {
      result.push((open = { lines: [line], line: index + 1 }))
    }
  })
  return result.map((each) => ({ text: each.lines.join('\n'), line: each.line }))
}

/** A dump whose offsets begin again is another message. */
function continuesDump(before: readonly string[], line: string): boolean {
  if (dumped(line) !== undefined) return !FIRST_OFFSET.test(line)
  return before.some((each) => BAR_DUMP.test(each)) && BAR_DUMP_END.test(line)
}

function fromHex(text: string, line: number): Buffer {
  const lines = text.split('\n')
  const bars = lines.some((each) => BAR_DUMP.test(each))
  const digits = lines
    .filter((each) => !(bars && BAR_DUMP_END.test(each)))
    .map((each) => dumped(each) ?? each)
    .join('')
    .replace(/0x|[\s:,]/gi, '')
  const stray = /[^0-9a-fA-F]/.exec(digits)?.[0]
  if (stray !== undefined) throw new UsageError(`line ${String(line)} is not hex: it contains ${JSON.stringify(stray)}`)
  if (digits.length % 2 === 1) throw new UsageError(`line ${String(line)} has an odd number of hex digits`)
  return Buffer.from(digits, 'hex')
}

function fromBase64(text: string, line: number): Buffer {
  if (!BASE64.test(text)) throw new UsageError(`line ${String(line)} is not base64`)
  return Buffer.from(text, 'base64')
}
