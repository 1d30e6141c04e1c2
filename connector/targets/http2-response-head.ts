/** Heads and trailer sections of responses as HTTP/2 has them (RFC 9113 §8.3.2). */
import type { RawHeaders, ResponseHead } from '../../protocol/head.js'

/** Of what nghttp2 has checked: `:status` first, valid names and values. */
export function http2ResponseHead(raw: RawHeaders): ResponseHead {
  let status = 0
  const headers: string[] = []
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] as string
    if (name === ':status') status = Number(raw[i + 1])
    else headers.push(name, raw[i + 1] as string)
  }
  return { status, reason: '', headers }
}

/**
 * Whether a head or trailer section is within the limit, counted as HTTP/1.1 text. Node enforces its own limit late: when
 * the service has agreed to our SETTINGS.
 */
export function fits(raw: RawHeaders, maxBytes: number): boolean {
  let bytes = 0
  for (const text of raw) bytes += text.length + 2
  return bytes <= maxBytes
}
