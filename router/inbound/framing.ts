/** How HTTP/1.x messages begin and end on the wire, where node leaves it to us. */
import type { RawHeaders, ResponseHead } from '../../protocol/head.js'
import { isToken, NOT_IN_VALUE } from '../../protocol/token.js'

/** An interim response (RFC 9110 §15.2), whole. It is a hint: what is invalid in it is left out. */
export function interimText(head: ResponseHead): string {
  let text = `HTTP/1.1 ${head.status} ${NOT_IN_VALUE.test(head.reason) ? '' : head.reason}\r\n`
  for (let i = 0; i + 1 < head.headers.length; i += 2) {
    const name = head.headers[i] as string
    const value = head.headers[i + 1] as string
    if (isToken(name) && !NOT_IN_VALUE.test(value)) text += `${name}: ${value}\r\n`
  }
  return `${text}\r\n`
}

export function hasContentLength(headers: RawHeaders): boolean {
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string
    if (name.length === 14 && name.toLowerCase() === 'content-length') return true
  }
  return false
}

/** Whether a response to `method` with this status can have a body (RFC 9112 §6.3). */
export function mayHaveBody(method: string, status: number): boolean {
  return method !== 'HEAD' && status !== 304 && status !== 204
}

/** A request that announces a body, however malformed the announcement is. */
export function hasFraming(headers: RawHeaders): boolean {
  for (let i = 0; i < headers.length; i += 2) {
    const name = (headers[i] as string).toLowerCase()
    if (name === 'content-length' || name === 'transfer-encoding') return true
  }
  return false
}
