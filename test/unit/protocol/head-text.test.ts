import { describe, expect, it } from 'vitest'
import { CrankerError } from '../../../protocol/errors.js'
import type { RequestHead, ResponseHead } from '../../../protocol/head.js'
import {
  decodeRequestHead,
  decodeResponseHead,
  decodeTrailers,
  encodeRequestHead,
  encodeResponseHead,
  encodeTrailers,
} from '../../../protocol/head-text.js'
import { MAX_HEAD_FIELDS } from '../../../protocol/limits.js'
import { seeded } from '../../support/random.js'
import { vectors } from '../../support/vectors.js'

type Vector =
  | { name: string; kind: 'request'; head: RequestHead; text: string }
  | { name: string; kind: 'response'; head: ResponseHead; text: string }

interface Heads {
  sent: Vector[]
  accepted: Vector[]
  refused: { name: string; kind: 'request' | 'response'; text: string; code: string }[]
}

const heads = vectors<Heads>('heads')

function decode(kind: 'request' | 'response', text: string): RequestHead | ResponseHead {
  return kind === 'request' ? decodeRequestHead(text) : decodeResponseHead(text)
}

function codeOf(call: () => unknown): string {
  try {
    call()
  } catch (error) {
    if (error instanceof CrankerError) return error.code
    throw error
  }
  return 'no error'
}

describe('head text', () => {
  it.each(heads.sent)('sends $name', (vector) => {
    const text = vector.kind === 'request' ? encodeRequestHead(vector.head) : encodeResponseHead(vector.head)
    expect(text).toBe(vector.text)
    expect(decode(vector.kind, text)).toEqual(vector.head)
  })

  it.each(heads.accepted)('accepts $name', ({ kind, text, head }) => {
    expect(decode(kind, text)).toEqual(head)
  })

  it.each(heads.refused)('refuses $name', ({ kind, text, code }) => {
    expect(codeOf(() => decode(kind, text))).toBe(code)
  })

  it('sends no space after the colon, no CR, one newline at the end and no blank line', () => {
    const text = encodeResponseHead({ status: 200, reason: 'OK', headers: ['a', '1', 'b', '2'] })
    expect(text).toBe('HTTP/1.1 200 OK\na:1\nb:2\n')
  })

  it.each(['\n', '\r', '\r\nx:y', '\0', '\x1b', '\x7f', '\u0100', '€'])('does not send the value %j', (value) => {
    const headers = ['x-a', value]
    expect(codeOf(() => encodeRequestHead({ method: 'GET', target: '/', headers }))).toBe('CRANKER_ERR_BAD_REQUEST')
    expect(codeOf(() => encodeResponseHead({ status: 200, reason: '', headers }))).toBe('CRANKER_ERR_BAD_RESPONSE')
  })

  it.each(['', 'a b', 'a:b', ':path', 'a\n', 'é'])('does not send the name %j', (name) => {
    const headers = [name, '1']
    expect(codeOf(() => encodeRequestHead({ method: 'GET', target: '/', headers }))).toBe('CRANKER_ERR_BAD_REQUEST')
    expect(codeOf(() => encodeResponseHead({ status: 200, reason: '', headers }))).toBe('CRANKER_ERR_BAD_RESPONSE')
  })

  it.each([99, 1000, 200.5, NaN, -200])('does not send status %d', (status) => {
    expect(codeOf(() => encodeResponseHead({ status, reason: '', headers: [] }))).toBe('CRANKER_ERR_BAD_RESPONSE')
  })

  it.each([
    ['an empty method', '', '/'],
    ['a method with a space', 'GET /', '/'],
    ['an empty target', 'GET', ''],
    ['a target with a space', 'GET', '/a HTTP/1.1'],
    ['a target with a newline', 'GET', '/a\nhost:evil'],
  ])('does not send %s', (_what, method, target) => {
    expect(codeOf(() => encodeRequestHead({ method, target, headers: [] }))).toBe('CRANKER_ERR_BAD_REQUEST')
  })

  it('says that a request whose head cannot be sent was not delivered', () => {
    try {
      encodeRequestHead({ method: 'GET', target: '/', headers: ['a', '\n'] })
      expect.unreachable()
    } catch (error) {
      expect(error).toMatchObject({ delivered: 'no', retryable: true })
    }
  })

  it('counts fields, and refuses one too many', () => {
    const lines = (count: number): string => 'HTTP/1.1 200 OK\n' + 'a:1\n'.repeat(count)
    expect(decodeResponseHead(lines(MAX_HEAD_FIELDS)).headers).toHaveLength(2 * MAX_HEAD_FIELDS)
    expect(codeOf(() => decodeResponseHead(lines(MAX_HEAD_FIELDS + 1)))).toBe('CRANKER_ERR_BAD_RESPONSE')
  })

  it('carries trailer sections', () => {
    expect(encodeTrailers(['grpc-status', '0', 'x', ''])).toBe('grpc-status:0\nx:\n')
    expect(decodeTrailers('grpc-status:0\nx:\n')).toEqual(['grpc-status', '0', 'x', ''])
    expect(decodeTrailers('')).toEqual([])
    expect(codeOf(() => decodeTrailers('a:\0'))).toBe('CRANKER_ERR_PROTOCOL')
    expect(codeOf(() => encodeTrailers(['a', '\n']))).toBe('CRANKER_ERR_BAD_RESPONSE')
  })

  it('brings every head back as it was, through UTF-8, whatever octets it holds', () => {
    const random = seeded(20_260)
    const tchars = "!#$%&'*+-.^_`|~09azAZ"
    const word = (chars: string, max: number): string =>
      Array.from({ length: 1 + random(max) }, () => chars[random(chars.length)]).join('')
    const octets = Array.from({ length: 256 }, (_, i) => i)
      .filter((i) => i === 9 || (i >= 32 && i !== 127))
      .map((i) => String.fromCharCode(i))
      .join('')
    const value = (): string => (random(8) === 0 ? '' : word(octets, 40).replace(/^[ \t]+|[ \t]+$/g, ''))
    for (let round = 0; round < 500; round++) {
      const headers = Array.from({ length: random(20) }, () => [word(tchars, 12), value()]).flat()
      const request = { method: word(tchars, 8), target: `/${word(octets.replace(/[ \t]/g, ''), 40)}`, headers }
      const response = { status: 100 + random(900), reason: value(), headers }
      const wire = (text: string): string => Buffer.from(text, 'utf8').toString('utf8')
      expect(decodeRequestHead(wire(encodeRequestHead(request)))).toEqual(request)
      expect(decodeResponseHead(wire(encodeResponseHead(response)))).toEqual(response)
    }
  })

  it('never throws anything but a CrankerError, whatever text comes', () => {
    const random = seeded(7)
    const alphabet = 'HTP/1. 20OK\n\r:ax-\0\t\u00e9\u20ac'
    for (let round = 0; round < 5_000; round++) {
      const text = Array.from({ length: random(30) }, () => alphabet[random(alphabet.length)]).join('')
      for (const read of [decodeRequestHead, decodeResponseHead, decodeTrailers]) codeOf(() => read(text))
    }
  })
})
