/** Bytes and wire text on one readable line: for logs, traces and reports, never for the wire. */

/** Fields whose values are secrets: who reads a trace need not be who may use them (RFC 9110 §11.6, RFC 6265). */
const SECRET_FIELDS = 'authorization|proxy-authorization|cookie|set-cookie|x-api-key|x-auth-token'
const SECRET_LINE = new RegExp(`^([ \\t]*(?:${SECRET_FIELDS})[ \\t]*:)[^\\n]*`, 'gim')
const SECRET_NAME = new RegExp(`^(?:${SECRET_FIELDS})$`, 'i')
/** What stands for a value that is hidden. */
const HIDDEN = '***'

/** Everything that a terminal or a log line could take for more than a character: controls, bidi and line separators. */
const UNPRINTABLE = /[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffd]/g

/** `text` in quotes on one line, a newline as ⏎, at most `max` characters of it. */
export function quoted(text: string, max: number): string {
  return `"${escaped(text.length > max ? `${text.slice(0, max)}…` : text)}"`
}

function escaped(text: string): string {
  return text.replace(UNPRINTABLE, (char) => {
    if (char === '\n') return '⏎'
    if (char === '\r') return '␍'
    if (char === '\t') return '␉'
    const code = char.charCodeAt(0)
    return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16).padStart(4, '0')}`
  })
}

/** The first `max` bytes: in quotes where they are text, else as 0x… */
export function preview(bytes: Buffer, max: number): string {
  const shown = bytes.length > max ? bytes.subarray(0, max) : bytes
  const more = shown.length < bytes.length ? '…' : ''
  const text = textOf(shown, more !== '')
  if (text !== undefined && !/[\0-\x08\x0b\x0c\x0e-\x1f\x7f]/.test(text)) return `"${escaped(text)}${more}"`
  return `0x${shown.toString('hex')}${more}`
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** UTF-8, or undefined. `cut`: the last code point may be missing bytes, and is left out then. */
function textOf(bytes: Buffer, cut: boolean): string | undefined {
  for (let dropped = 0; dropped <= (cut ? 3 : 0) && dropped <= bytes.length; dropped++) {
    try {
      return strict.decode(bytes.subarray(0, bytes.length - dropped))
    } catch {
      // One byte less, perhaps.
    }
  }
  return undefined
}

/** Whether these bytes are UTF-8. */
export function isUtf8(bytes: Buffer): boolean {
  return textOf(bytes, false) !== undefined
}

/**
 * Head text without the values of fields that carry secrets. `continued`: it begins somewhere inside of a head, so that
 * nobody can tell what its first line belongs to.
 */
export function withoutSecrets(text: string, continued: boolean): string {
  const eol = continued ? lineEnd(text) : 0
  return (continued && eol > 0 ? HIDDEN : '') + text.slice(eol).replace(SECRET_LINE, `$1${HIDDEN}`)
}

/** The same for fields. */
export function fieldsWithoutSecrets(headers: readonly string[]): string[] {
  return headers.map((part, i) => (i % 2 === 1 && SECRET_NAME.test((headers[i - 1] as string).trim()) ? HIDDEN : part))
}

function lineEnd(text: string): number {
  const newline = text.indexOf('\n')
  return newline === -1 ? text.length : newline
}
