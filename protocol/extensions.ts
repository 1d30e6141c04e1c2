/**
 * What a side can do beyond the published protocol: one header, `Cranker-Extensions`, on the registration request and
 * on its 101. An extension is used only if both sides listed it.
 */
import { MAX_EXTENSIONS_LENGTH } from './limits.js'
import type { Capabilities, ProtocolVersion } from './session.js'
import { isToken } from './token.js'

export const EXTENSIONS_HEADER = 'Cranker-Extensions'

/** What this package announces. */
export const OUR_EXTENSIONS: readonly string[] = [
  'trailers',
  'refuse',
  'goaway',
  'informational',
  'raw-target',
  'upgrade',
]

/** Extension name (lower case) → its parameters. */
export type Extensions = ReadonlyMap<string, ReadonlyMap<string, string>>

/** Towards a peer that announced nothing. */
export const NO_CAPABILITIES: Capabilities = {
  informational: false,
  refuse: false,
  goaway: false,
  trailers: false,
  upgrade: false,
  rawTarget: false,
}

/** The header's value. */
export function formatExtensions(extensions: readonly string[] = OUR_EXTENSIONS): string {
  return extensions.join(', ')
}

/**
 * Reads `name;key=value;flag, name`. Never fails: members that are malformed are left out, as are those beyond
 * `MAX_EXTENSIONS_LENGTH`; unknown names and parameters do no harm.
 */
export function parseExtensions(value: string | undefined): Extensions {
  const extensions = new Map<string, ReadonlyMap<string, string>>()
  for (const member of splitOutsideQuotes((value ?? '').slice(0, MAX_EXTENSIONS_LENGTH), ',')) {
    const [first = '', ...rest] = splitOutsideQuotes(member, ';')
    const name = first.trim().toLowerCase()
    if (!isToken(name) || extensions.has(name)) continue
    const parameters = parseParameters(rest)
    if (parameters !== undefined) extensions.set(name, parameters)
  }
  return extensions
}

/** What both sides listed and `version` has a way to say. */
export function capabilitiesOf(ours: readonly string[], theirs: Extensions, version: ProtocolVersion): Capabilities {
  const both = (name: string): boolean => ours.includes(name) && theirs.has(name)
  const framed = version === '3.0'
  return {
    informational: both('informational'),
    refuse: both('refuse'),
    // 1.0 has no frames that could carry them; there the barrier before a drain is a ping.
    goaway: framed && both('goaway'),
    trailers: framed && both('trailers'),
    upgrade: both('upgrade'),
    rawTarget: both('raw-target'),
  }
}

function parseParameters(parts: readonly string[]): Map<string, string> | undefined {
  const parameters = new Map<string, string>()
  for (const part of parts) {
    const equals = part.indexOf('=')
    const key = (equals === -1 ? part : part.slice(0, equals)).trim().toLowerCase()
    if (!isToken(key)) return undefined
    parameters.set(key, equals === -1 ? '' : unquote(part.slice(equals + 1).trim()))
  }
  return parameters
}

/** quoted-string, RFC 9110 §5.6.4. */
function unquote(text: string): string {
  if (text.length < 2 || !text.startsWith('"') || !text.endsWith('"')) return text
  return text.slice(1, -1).replace(/\\(.)/g, '$1')
}

function splitOutsideQuotes(text: string, separator: string): string[] {
  const parts: string[] = []
  let start = 0
  let quoted = false
  for (let i = 0; i < text.length; i++) {
    const char = text[i]
    if (quoted && char === '\\') i++
    else if (char === '"') quoted = !quoted
    else if (char === separator && !quoted) {
      parts.push(text.slice(start, i))
      start = i + 1
    }
  }
  parts.push(text.slice(start))
  return parts
}
