/** Message heads (RFC 9112 §2) as this package hands them around; head-text.ts turns them into wire text and back. */

/**
 * Field lines as one flat list, `[name, value, name, value, …]`, in the order, the case and the number in which they
 * came: the shape of node's `rawHeaders`. Each character is one octet (latin1), so 8-bit values pass unharmed.
 */
export type RawHeaders = readonly string[]

export interface RequestHead {
  readonly method: string
  /** Origin-form (RFC 9112 §3.2.1), path and query exactly as the client sent them; or `*`. */
  readonly target: string
  readonly headers: RawHeaders
}

export interface ResponseHead {
  readonly status: number
  /** The reason phrase; may be empty. */
  readonly reason: string
  readonly headers: RawHeaders
}

/** The value of the first field line called `name` (lower case), or undefined. Names compare without case. */
export function headerValue(headers: RawHeaders, name: string): string | undefined {
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const candidate = headers[i] as string
    if (candidate.length === name.length && candidate.toLowerCase() === name) return headers[i + 1]
  }
  return undefined
}
