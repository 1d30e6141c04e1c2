/** Which fields of a head go on to the next hop (RFC 9110 §7.6.1), for the router and the connector alike. */
import type { RawHeaders } from './head.js'

/** About one connection, or one hop's credentials: never forwarded, in either direction. */
const HOP_BY_HOP = [
  'connection',
  'expect',
  'http2-settings',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]

/** What the router writes about the hop before it, so that what a client sent in them is only a claim. */
export const FORWARDING_FIELDS: ReadonlySet<string> = new Set([
  'forwarded',
  'via',
  'x-forwarded-by',
  'x-forwarded-for',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-proto',
  'x-forwarded-server',
])

/** `Connection` cannot name these away: what the other end decides by them would then differ from what we checked. */
const NEVER_NAMED: ReadonlySet<string> = new Set([
  'authorization',
  'content-length',
  'cookie',
  'host',
  ...FORWARDING_FIELDS,
])

const REQUEST_DROP: ReadonlySet<string> = new Set(HOP_BY_HOP)
const RESPONSE_DROP: ReadonlySet<string> = REQUEST_DROP
const RESPONSE_DROP_SERVER: ReadonlySet<string> = new Set([...HOP_BY_HOP, 'server'])
const NOTHING: ReadonlySet<string> = new Set()

/** For each length, a bit for each first letter that a name of that length in the sets below begins with. */
const CANDIDATES = candidates([...HOP_BY_HOP, ...FORWARDING_FIELDS, 'cookie', 'server'])

/**
 * The fields of a request that go on, in their order and case. Several `cookie` fields become one (RFC 9113 §8.2.3:
 * HTTP/1.1 knows only one). `extraDrop`: further names (lower case) that stay behind, such as
 * {@link FORWARDING_FIELDS} of a client that is no trusted proxy.
 */
export function filterRequestHeaders(headers: RawHeaders, extraDrop: ReadonlySet<string> = NOTHING): string[] {
  const kept: string[] = []
  const named = namedByConnection(headers)
  const everyName = named !== undefined || !isPrechecked(extraDrop)
  let cookieAt = -1
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] as string
    const value = headers[i + 1] as string
    if (everyName || isCandidate(name)) {
      const lower = name.toLowerCase()
      if (REQUEST_DROP.has(lower) || extraDrop.has(lower) || named?.has(lower) === true) continue
      if (lower === 'cookie') {
        if (cookieAt !== -1) {
          kept[cookieAt] = `${kept[cookieAt] as string}; ${value}`
          continue
        }
        cookieAt = kept.length + 1
      }
    }
    kept.push(name, value)
  }
  return kept
}

/**
 * The fields of a response that go on, in their order and case. The router drops `server`, which tells clients about
 * the inside; the connector keeps it.
 */
export function filterResponseHeaders(headers: RawHeaders, keepServer = false): string[] {
  const kept: string[] = []
  const drop = keepServer ? RESPONSE_DROP : RESPONSE_DROP_SERVER
  const named = namedByConnection(headers)
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] as string
    if (named !== undefined || isCandidate(name)) {
      const lower = name.toLowerCase()
      if (drop.has(lower) || named?.has(lower) === true) continue
    }
    kept.push(name, headers[i + 1] as string)
  }
  return kept
}

/** Whether a field (lower case) is about one connection, or one hop's credentials. */
export function isHopByHop(name: string): boolean {
  return REQUEST_DROP.has(name)
}

/** The names that `Connection` lists, without those that it must not remove; undefined when it lists none. */
function namedByConnection(headers: RawHeaders): ReadonlySet<string> | undefined {
  let named: Set<string> | undefined
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] as string
    if (name.length !== 10 || name.toLowerCase() !== 'connection') continue
    const value = headers[i + 1] as string
    // What nearly everyone sends names no field worth a set.
    if (value === 'keep-alive' || value === 'close' || value === 'Keep-Alive') continue
    for (const member of value.split(',')) {
      const lower = member.trim().toLowerCase()
      if (lower !== '' && !NEVER_NAMED.has(lower)) (named ??= new Set()).add(lower)
    }
  }
  return named
}

function candidates(names: readonly string[]): Uint32Array {
  const masks = new Uint32Array(32)
  for (const name of names) masks[name.length] = (masks[name.length] ?? 0) | letterBit(name)
  return masks
}

/** A bit for the first letter, upper and lower case alike. What is no letter shares a bit: a false alarm at worst. */
function letterBit(name: string): number {
  return 1 << (name.charCodeAt(0) & 31)
}

/** False: the name is in none of the sets, without having been lower-cased. */
function isCandidate(name: string): boolean {
  return name.length < 32 && ((CANDIDATES[name.length] as number) & letterBit(name)) !== 0
}

function isPrechecked(extraDrop: ReadonlySet<string>): boolean {
  return extraDrop === NOTHING || extraDrop === FORWARDING_FIELDS
}
