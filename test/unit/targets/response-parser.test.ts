import { describe, expect, it } from 'vitest'
import type { RawHeaders, ResponseHead } from '../../../protocol/head.js'
import { ResponseParser } from '../../../connector/targets/response-parser.js'

interface Result {
  infos: number[]
  head: ResponseHead | undefined
  endAtHead: boolean
  body: string
  pieces: number
  lastCarriedByEnd: boolean
  trailers: RawHeaders | undefined
  complete: boolean
  keepAlive: boolean
  complaint: string | undefined
}

/** Parses `text` in pieces that end at `cuts`. */
function parse(text: string, { cuts = [] as number[], head = false, close = false } = {}): Result {
  const result: Result = {
    infos: [],
    head: undefined,
    endAtHead: false,
    body: '',
    pieces: 0,
    lastCarriedByEnd: false,
    trailers: undefined,
    complete: false,
    keepAlive: false,
    complaint: undefined,
  }
  const parser = new ResponseParser(64 * 1024)
  parser.begin(
    {
      onInfo: (info) => result.infos.push(info.status),
      onResponse: (response, end) => {
        result.head = response
        result.endAtHead = end
      },
      onBody: (chunk) => {
        result.body += chunk.toString('latin1')
        result.pieces++
      },
      onComplete: (last, trailers) => {
        result.lastCarriedByEnd = last !== undefined
        result.body += last?.toString('latin1') ?? ''
        result.trailers = trailers
      },
    },
    head,
  )
  const bytes = Buffer.from(text, 'latin1')
  let at = 0
  for (const cut of [...cuts, bytes.length]) {
    result.complaint = parser.push(bytes.subarray(at, cut))
    at = cut
    if (result.complaint !== undefined) return result
  }
  if (close) parser.end()
  result.complete = parser.complete
  result.keepAlive = parser.keepAlive
  return result
}

const chunkedResponse =
  'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n' +
  'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\n\r\n' +
  '5\r\nhello\r\n1;name="v"\r\n,\r\n006\r\n world\r\n0\r\nX-T: end\r\nX-U: \r\n\r\n'
const sizedResponse =
  'HTTP/1.1 200 OK\r\nset-cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 12\r\nX-8: \xe4\xff\r\n\r\nhello, world'

describe('the response parser', () => {
  it('reads the same from a chunked response wherever it is cut', () => {
    for (let cut = 1; cut < chunkedResponse.length; cut++) {
      const result = parse(chunkedResponse, { cuts: [cut] })
      expect(result, `cut at ${cut}`).toMatchObject({
        infos: [103],
        body: 'hello, world',
        trailers: ['X-T', 'end', 'X-U', ''],
        complete: true,
        keepAlive: true,
      })
    }
  })

  it('reads the same from a response with a content-length wherever it is cut', () => {
    for (let cut = 1; cut < sizedResponse.length; cut++) {
      const result = parse(sizedResponse, { cuts: [cut] })
      expect(result, `cut at ${cut}`).toMatchObject({ body: 'hello, world', complete: true, keepAlive: true })
      expect(result.head?.headers).toEqual([
        ...['set-cookie', 'a=1', 'Set-Cookie', 'b=2', 'Content-Length', '12', 'X-8', '\xe4\xff'],
      ])
    }
  })

  it('reads a response that comes byte by byte', () => {
    for (const text of [chunkedResponse, sizedResponse]) {
      const cuts = Array.from({ length: text.length - 1 }, (_, index) => index + 1)
      expect(parse(text, { cuts })).toMatchObject({ body: 'hello, world', complete: true })
    }
  })

  it('hands the last piece of a body over together with its end', () => {
    expect(parse(sizedResponse)).toMatchObject({ pieces: 0, lastCarriedByEnd: true })
    expect(parse(chunkedResponse)).toMatchObject({ pieces: 2, lastCarriedByEnd: true })
  })

  it('takes a 304 and a 204 with a content-length as complete', () => {
    for (const status of ['304 Not Modified', '204 No Content']) {
      const result = parse(`HTTP/1.1 ${status}\r\nContent-Length: 1234\r\n\r\n`)
      expect(result).toMatchObject({ endAtHead: true, complete: true, keepAlive: true })
      expect(result.head?.headers).toEqual(['Content-Length', '1234'])
    }
  })

  it('expects no body in the answer to a HEAD', () => {
    for (const framing of ['Content-Length: 5', 'Transfer-Encoding: chunked', 'X: close-delimited']) {
      const result = parse(`HTTP/1.1 200 OK\r\n${framing}\r\n\r\n`, { head: true })
      expect(result).toMatchObject({ endAtHead: true, complete: true })
    }
  })

  it('reads a body without framing until the connection closes', () => {
    const open = parse('HTTP/1.1 200 OK\r\n\r\nabc')
    expect(open).toMatchObject({ body: 'abc', complete: false })
    expect(parse('HTTP/1.1 200 OK\r\n\r\nabc', { close: true })).toMatchObject({
      body: 'abc',
      complete: true,
      keepAlive: false,
    })
  })

  it('does not take the close for the end of a framed body', () => {
    expect(parse('HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc', { close: true }).complete).toBe(false)
    const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n'
    expect(parse(chunked, { close: true }).complete).toBe(false)
    expect(parse('HTTP/1.1 200 OK\r\nX-', { close: true }).complete).toBe(false)
  })

  it('keeps a connection alive as version and Connection say', () => {
    const alive = (head: string): boolean => parse(`${head}\r\nContent-Length: 0\r\n\r\n`).keepAlive
    expect(alive('HTTP/1.1 200 OK')).toBe(true)
    expect(alive('HTTP/1.1 200 OK\r\nConnection: Close')).toBe(false)
    expect(alive('HTTP/1.0 200 OK')).toBe(false)
    expect(alive('HTTP/1.0 200 OK\r\nConnection: keep-alive')).toBe(true)
  })

  it('does not reuse a connection with bytes after the response', () => {
    expect(parse(`${sizedResponse}HTTP/1.1 200 OK\r\n`)).toMatchObject({ complete: true, keepAlive: false })
    expect(parse('HTTP/1.1 204 No Content\r\n\r\nbody')).toMatchObject({ complete: true, keepAlive: false })
  })

  it('accepts an empty reason and none at all', () => {
    expect(parse('HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n').head).toMatchObject({ status: 200, reason: '' })
    expect(parse('HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n').head).toMatchObject({ status: 200, reason: '' })
  })

  it.each([
    ['no HTTP', 'SSH-2.0-OpenSSH_9.6\r\n\r\n'],
    ['HTTP/2', 'HTTP/2 200 OK\r\n\r\n'],
    ['a status of two digits', 'HTTP/1.1 99 OK\r\n\r\n'],
    ['a bare LF', 'HTTP/1.1 200 OK\nX: 1\r\n\r\n'],
    ['a bare CR in a value', 'HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n'],
    ['a NUL in a value', 'HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n'],
    ['a folded line', 'HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n'],
    ['white space before the colon', 'HTTP/1.1 200 OK\r\nX : a\r\n\r\n'],
    ['a line without a colon', 'HTTP/1.1 200 OK\r\nnonsense\r\n\r\n'],
    ['two content-lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n'],
    ['a negative content-length', 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n'],
    ['a content-length with a sign', 'HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\n'],
    ['both framings', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n'],
    ['another transfer coding', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n'],
    ['an upgrade that nobody asked for', 'HTTP/1.1 101 Switching Protocols\r\n\r\n'],
    ['a chunk size that is no number', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n'],
    ['a negative chunk size', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n'],
    ['a chunk size beyond 2⁵³', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000000\r\n'],
    ['a chunk longer than its size', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n'],
    ['257 fields', `HTTP/1.1 200 OK\r\n${'X: 1\r\n'.repeat(257)}\r\n`],
    ['a head of more than 64 KiB', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(65 * 1024)}\r\n\r\n`],
    ['an endless head', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(65 * 1024)}`],
    ['an endless chunk extension', `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;${'x'.repeat(5000)}`],
    ['endless trailers', `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n${'X: 1\r\n'.repeat(20_000)}`],
  ])('complains about %s', (_name, text) => {
    expect(parse(text).complaint).toBeTypeOf('string')
  })

  it('says what to do about a server that speaks only HTTP/2', () => {
    const settings = '\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64'
    expect(parse(settings).complaint).toContain('--target-protocol http2')
  })
})
