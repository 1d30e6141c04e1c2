/**
 * What node lets through and must not pass: RFC 9110 and RFC 9112 checks on a parsed request, in one pass over its
 * fields. HTTP/2 requests come here as HTTP/1.1 would write them, see http2-head.ts.
 */
import { CrankerError, type ErrorCode } from '../../protocol/errors.js'
import type { RawHeaders } from '../../protocol/head.js'
import { MAX_HEAD_FIELDS } from '../../protocol/limits.js'
import { parseAuthority } from './host.js'
import { parseTarget } from './target.js'

/** What a valid request is, beside its method and fields. */
export interface RequestFacts {
  readonly target: string
  readonly path: string
  readonly host: string
  readonly authority: string
  readonly hasBody: boolean
  readonly contentLength: number | undefined
  readonly expectsContinue: boolean
}

/** A request that is answered at once; `status` overrides what the error's code stands for. */
export class Refusal {
  readonly error: CrankerError
  readonly status: number | undefined

  constructor(code: ErrorCode, message: string, status?: number) {
    this.error = new CrankerError(code, message, { initiator: 'caller', delivered: 'no' })
    this.status = status
  }
}

export interface RequestLine {
  readonly method: string
  readonly url: string
  readonly httpVersion: string
  readonly rawHeaders: RawHeaders
}

export function checkRequest(request: RequestLine): RequestFacts | Refusal {
  const { method, httpVersion, rawHeaders } = request
  const old = httpVersion === '1.0'
  if (!old && httpVersion !== '1.1') return new Refusal('CRANKER_ERR_BAD_REQUEST', 'Only HTTP/1.0 and HTTP/1.1.', 505)
  // RFC 9110 §9.3.8: a TRACE would show the fields that proxies add. CONNECT never comes here as a request.
  if (method === 'TRACE') return new Refusal('CRANKER_ERR_METHOD', 'TRACE is not allowed.')
  if (rawHeaders.length > 2 * MAX_HEAD_FIELDS) {
    return new Refusal('CRANKER_ERR_HEAD_TOO_LARGE', `The request has more than ${MAX_HEAD_FIELDS} fields.`)
  }
  const fields = readFields(rawHeaders, old)
  if (fields instanceof Refusal) return fields
  const target = parseTarget(method, request.url)
  if (typeof target === 'string') return new Refusal('CRANKER_ERR_BAD_REQUEST', target)
  const { host: hostField } = fields
  // RFC 9112 §3.2: HTTP/1.1 requires a Host; an empty one names no service here.
  if (hostField === undefined && !old) return new Refusal('CRANKER_ERR_BAD_REQUEST', 'The Host field is missing.')
  const parsed = hostField === undefined ? target.parsedAuthority : parseAuthority(hostField)
  if (parsed === undefined && hostField !== undefined) {
    return new Refusal('CRANKER_ERR_BAD_REQUEST', 'The Host field is empty or malformed.')
  }
  const other = target.parsedAuthority
  if (other !== undefined && parsed !== undefined && (other.host !== parsed.host || other.port !== parsed.port)) {
    return new Refusal('CRANKER_ERR_BAD_REQUEST', 'The Host field and the request target name different hosts.')
  }
  return {
    target: target.target,
    path: target.path,
    host: parsed?.host ?? '',
    authority: hostField ?? target.authority ?? '',
    hasBody: fields.chunked || (fields.contentLength ?? 0) > 0,
    contentLength: fields.contentLength,
    expectsContinue: fields.expectsContinue,
  }
}

interface Fields {
  readonly host: string | undefined
  readonly contentLength: number | undefined
  readonly chunked: boolean
  readonly expectsContinue: boolean
}

function readFields(headers: RawHeaders, old: boolean): Fields | Refusal {
  let host: string | undefined
  let length: string | undefined
  let coding: string | undefined
  let expect: string | undefined
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] as string
    switch (name.length) {
      case 4:
        if (!is(name, 'host')) break
        if (host !== undefined) return new Refusal('CRANKER_ERR_BAD_REQUEST', 'There is more than one Host field.')
        host = headers[i + 1]
        break
      case 6:
        if (is(name, 'expect')) expect = headers[i + 1]
        break
      case 14:
        if (!is(name, 'content-length')) break
        if (length !== undefined) {
          return new Refusal('CRANKER_ERR_BAD_REQUEST', 'There is more than one Content-Length field.')
        }
        length = headers[i + 1]
        break
      case 17:
        if (!is(name, 'transfer-encoding')) break
        coding = coding === undefined ? headers[i + 1] : `${coding},${headers[i + 1] ?? ''}`
        break
    }
  }
  let contentLength: number | undefined
  if (length !== undefined) {
    contentLength = Number(length)
    if (!/^\d+$/.test(length) || !Number.isSafeInteger(contentLength)) {
      return new Refusal('CRANKER_ERR_BAD_REQUEST', 'The Content-Length field is malformed.')
    }
  }
  const refusal = coding === undefined ? undefined : checkCoding(coding, length, old)
  if (refusal !== undefined) return refusal
  // RFC 9110 §10.1.1: Expect is ignored on HTTP/1.0.
  const expects = expect !== undefined && !old
  if (expects && expect?.toLowerCase() !== '100-continue') {
    return new Refusal('CRANKER_ERR_NOT_IMPLEMENTED', 'The only expectation that can be met is 100-continue.', 417)
  }
  return { host, contentLength, chunked: coding !== undefined, expectsContinue: expects }
}

/** RFC 9112 §6.1 and §6.3: framing that a server behind us might read differently ends here. */
function checkCoding(coding: string, length: string | undefined, old: boolean): Refusal | undefined {
  if (old) return new Refusal('CRANKER_ERR_BAD_REQUEST', 'Transfer-Encoding is not part of HTTP/1.0.')
  if (length !== undefined) {
    return new Refusal('CRANKER_ERR_BAD_REQUEST', 'Content-Length and Transfer-Encoding exclude each other.')
  }
  if (coding.toLowerCase() !== 'chunked') {
    return new Refusal('CRANKER_ERR_NOT_IMPLEMENTED', 'The only transfer coding that is carried is chunked.')
  }
  return undefined
}

function is(name: string, lower: string): boolean {
  return name.toLowerCase() === lower
}
