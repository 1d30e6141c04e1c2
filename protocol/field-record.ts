/** Field lines as the record that HTTP/2 libraries of Node take. */
import type { RawHeaders } from './head.js'

/** Lists (RFC 9110 §5.6.1) that node wants in one line. */
const LISTS_IN_ONE_LINE: ReadonlySet<string> = new Set(['content-encoding', 'content-language'])

/** Fields that node takes once only. Services repeat them by mistake; as in node's own reading, the first counts. */
const ONCE: ReadonlySet<string> = new Set([
  'access-control-allow-credentials',
  'access-control-max-age',
  'access-control-request-method',
  'age',
  'authorization',
  'content-length',
  'content-location',
  'content-md5',
  'content-range',
  'content-type',
  'date',
  'dnt',
  'etag',
  'expires',
  'from',
  'host',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-range',
  'if-unmodified-since',
  'last-modified',
  'location',
  'max-forwards',
  'proxy-authorization',
  'range',
  'referer',
  'retry-after',
  'tk',
  'upgrade-insecure-requests',
  'user-agent',
  'x-content-type-options',
])

/**
 * Name (lower case) → value, or values. Names and values have been checked. No prototype: a field may have any name.
 */
export function fieldRecord(headers: RawHeaders): Record<string, string | string[]> {
  const fields = Object.create(null) as Record<string, string | string[]>
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = (headers[i] as string).toLowerCase()
    const value = headers[i + 1] as string
    const before = fields[name]
    if (before === undefined) fields[name] = value
    else if (Array.isArray(before)) before.push(value)
    else if (LISTS_IN_ONE_LINE.has(name)) fields[name] = `${before}, ${value}`
    else if (!ONCE.has(name)) fields[name] = [before, value]
  }
  return fields
}
