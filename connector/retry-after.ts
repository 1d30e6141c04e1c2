import { headerValue, type RawHeaders } from '../protocol/head.js'

/** Nobody is sent away for longer than this, whatever a router says. ms. */
export const MAX_RETRY_AFTER_MS = 5 * 60_000

/**
 * `Retry-After` (RFC 9110 §10.2.3) in ms; 0 when there is none that makes sense. A date counts from the response's own
 * `Date`, so that clocks need not agree.
 */
export function retryAfterMs(headers: RawHeaders): number {
  const value = headerValue(headers, 'retry-after')?.trim()
  if (value === undefined) return 0
  if (/^\d+$/.test(value)) return boundedRetryAfter(Number(value) * 1000)
  return boundedRetryAfter(Date.parse(value) - Date.parse(headerValue(headers, 'date') ?? ''))
}

/** What a router asks for, within reason. */
export function boundedRetryAfter(ms: number): number {
  return ms > 0 ? Math.min(ms, MAX_RETRY_AFTER_MS) : 0
}
