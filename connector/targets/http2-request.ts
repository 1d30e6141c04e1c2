/** The head of a request as HTTP/2 has it (RFC 9113 §8.3.1). */
import type { OutgoingHttpHeaders } from 'node:http2'
import { fieldRecord } from '../../protocol/field-record.js'
import type { RequestHead } from '../../protocol/head.js'
import { filterRequestHeaders } from '../../protocol/hop-by-hop.js'
import { isToken, NOT_IN_VALUE } from '../../protocol/token.js'
import { announcedTrailers } from '../../protocol/trailers.js'
import { lists } from '../../protocol/upgrade.js'
import { badRequestLine, joinedTarget } from './request-text.js'

/** Where requests go. */
export interface Http2Origin {
  readonly scheme: 'http' | 'https'
  /** For requests that come without a Host. */
  readonly host: string
  /** Comes before every path; empty, or `/a/b`. */
  readonly pathPrefix: string
}

export interface Http2RequestHead {
  readonly headers: OutgoingHttpHeaders
  /** Of the body; undefined: not announced, or there is none. */
  readonly length: number | undefined
}

/** A string is a complaint: the request cannot be sent as it is meant. `end`: it has no body. */
export function http2Request(
  head: RequestHead,
  end: boolean,
  { scheme, host, pathPrefix }: Http2Origin,
  carriesTrailers: boolean,
): Http2RequestHead | string {
  const complaint = badRequestLine(head)
  if (complaint !== undefined) return complaint
  const fields: string[] = []
  let authority: string | undefined
  let length: number | undefined
  const kept = filterRequestHeaders(head.headers)
  for (let i = 0; i + 1 < kept.length; i += 2) {
    const name = (kept[i] as string).toLowerCase()
    const value = kept[i + 1] as string
    if (!isToken(name)) return 'a field name is no token'
    if (NOT_IN_VALUE.test(value)) return 'a field value contains a control character'
    if (name === 'host') {
      if (authority !== undefined) return 'more than one host'
      authority = value
      continue
    }
    if (name === 'content-length') {
      if (length !== undefined) return 'more than one content-length'
      if (!/^\d{1,15}$/.test(value)) return 'an invalid content-length'
      length = Number(value)
    }
    fields.push(name, value)
  }
  if (end && length !== undefined && length > 0) return 'a content-length but no body'
  if (carriesTrailers) {
    // The one value that HTTP/2 knows (RFC 9113 §8.2.2).
    if (lists(head.headers, 'te', 'trailers')) fields.push('te', 'trailers')
    const announced = end ? undefined : announcedTrailers(head.headers)
    if (announced !== undefined) {
      if (NOT_IN_VALUE.test(announced)) return 'a field value contains a control character'
      fields.push('trailer', announced)
    }
  }
  const headers: OutgoingHttpHeaders = fieldRecord(fields)
  headers[':method'] = head.method
  headers[':scheme'] = scheme
  headers[':authority'] = authority ?? host
  headers[':path'] = joinedTarget(head, pathPrefix)
  return { headers, length: end ? undefined : length }
}
