import { describe, expect, it } from 'vitest'
import { describeMessage, type DescribeOptions } from '../../../protocol/describe.js'
import { meaningOf } from '../../../protocol/meaning.js'
import { dataHead, goawayFrame, headerFrameOfText, rstFrame, windowUpdateFrame } from '../../../protocol/v3/frame.js'

const v3 = (data: Buffer, options?: DescribeOptions) => describeMessage('3.0', { kind: 'binary', data }, options)
const v1 = (text: string, options?: DescribeOptions) => describeMessage('1.0', { kind: 'text', text }, options)
const header = (text: string, flags = 5) => headerFrameOfText(7, flags, text, Buffer.byteLength(text))
const data = (payload: Buffer | string, end = false) =>
  Buffer.concat([dataHead(7, end), Buffer.from(payload as string)])

describe('a 3.0 message in one line', () => {
  it('shows a request head with its flags, size and text', () => {
    expect(v3(header('GET /x HTTP/1.1\na:b\n'), { from: 'router' })).toBe(
      '→ HEADER #7 END_STREAM|END_HEADERS 20 B "GET /x HTTP/1.1⏎a:b⏎"',
    )
  })

  it('shows a response head with the arrow of its direction', () => {
    expect(v3(header('HTTP/1.1 200 OK\n', 4), { from: 'connector' })).toBe(
      '← HEADER #7 END_HEADERS 16 B "HTTP/1.1 200 OK⏎"',
    )
  })

  it.each([
    ['text', data('hello', true), 'DATA #7 END_STREAM 5 B "hello"'],
    ['nothing', data('', true), 'DATA #7 END_STREAM 0 B'],
    ['bytes', data(Buffer.from([0x1f, 0x8b, 8])), 'DATA #7 3 B 0x1f8b08'],
    ['lines', data('a\r\nb\tc'), 'DATA #7 6 B "a␍⏎b␉c"'],
    ['text of several bytes a character', data('grüße'), 'DATA #7 7 B "grüße"'],
  ])('shows a body of %s', (_, frame, line) => {
    expect(v3(frame)).toBe(line)
  })

  it('cuts a long body, and never within a character', () => {
    expect(v3(data('ä'.repeat(500)), { bodyBytes: 5 })).toBe('DATA #7 1000 B "ää…"')
    expect(v3(data(Buffer.alloc(500)), { bodyBytes: 4 })).toBe('DATA #7 500 B 0x00000000…')
  })

  it.each([
    [windowUpdateFrame(7, 16_384), 'WINDOW_UPDATE #7 +16384'],
    [rstFrame(7, 1011, 'oops'), 'RST_STREAM #7 1011 "oops"'],
    [rstFrame(7, 1, ''), 'RST_STREAM #7 1'],
    [Buffer.from('030000000007', 'hex'), 'RST_STREAM #7 without a code'],
    [goawayFrame(7, 0, '0 draining'), 'GOAWAY last=7 code=0 "0 draining"'],
    [Buffer.from('00f100000007', 'hex'), 'DATA #7 END_STREAM|0xf0 0 B'],
  ])('shows control frames: %#', (frame, line) => {
    expect(v3(frame)).toBe(line)
  })

  it.each([
    ['a short one', '0000', /^SHORT 2 B 0x0000 ✗ shorter than a frame's first 6 bytes; receivers close/],
    ['an unknown type', '0900000000074142', /^UNKNOWN #7 2 B "AB" ✗ type 9 is not known/],
    ['half an increment', '0800000000070000', /^WINDOW_UPDATE #7 2 B 0x0000 ✗ its payload is not an int32 increment/],
    ['a negative increment', '080000000007ffffffff', /^WINDOW_UPDATE #7 4 B 0xffffffff ✗ .*at least 0/],
    ['half a goaway', '07000000000000000001', /^GOAWAY 4 B 0x00000001 ✗ .*int32 last id/],
    ['a goaway with an id', '0700000000050000000100000000', /^GOAWAY last=1 code=0 ✗ .*its id is 0/],
    ['half a code', '0300000000070000', /^RST_STREAM #7 without a code ✗ its code is cut off/],
    ['id 0', '000000000000', /^DATA #0 0 B ✗ request ids start at 1/],
    ['a negative id', '0000ffffffff', /^DATA #-1 0 B ✗ request ids start at 1/],
  ])('says what is wrong with %s', (_, hex, line) => {
    expect(v3(Buffer.from(hex, 'hex'))).toMatch(line)
  })

  it('says what is wrong with a head', () => {
    expect(v3(header('GET  HTTP/1.1\n'), { continued: false })).toMatch(/✗ .*its first line has no target/)
    expect(v3(header('HTTP/1.1 20 OK\n'), { from: 'connector', continued: false })).toMatch(
      /✗ .*the status is not three digits/,
    )
    expect(v3(header('HTTP/1.1 200 OK\na:b\0c\n'))).toMatch(/"HTTP\/1\.1 200 OK⏎a:b\\x00c⏎" ✗ .*control character/)
  })

  it('takes fields without a first line for trailers', () => {
    expect(v3(header('grpc-status:0\n'), { continued: false })).toBe(
      'HEADER #7 END_STREAM|END_HEADERS 14 B "grpc-status:0⏎"',
    )
  })

  it('shows parts of a head, and where a code point is split between them', () => {
    expect(v3(header('GET /x HTTP/1.1\na:', 0))).toBe('HEADER #7 18 B "GET /x HTTP/1.1⏎a:"')
    expect(v3(header('tail\n', 4), { continued: true })).toBe('HEADER #7 END_HEADERS 5 B "tail⏎"')
    const cut = Buffer.concat([header('GET /x HTTP/1.1\na:', 0), Buffer.from([0xc3])])
    expect(v3(cut)).toMatch(/✗ a code point is split at the end of this part$/)
    const rest = Buffer.concat([header('', 4), Buffer.from([0xa9, 10])])
    expect(v3(rest, { continued: true })).toMatch(/✗ it begins within a code point$/)
  })

  it('says that text has no meaning', () => {
    expect(describeMessage('3.0', { kind: 'text', text: 'hello' })).toBe(
      'TEXT 5 B "hello" ✗ 3.0 has no text messages; receivers ignore it',
    )
  })
})

describe('a 1.0 message in one line', () => {
  it.each([
    ['GET /x HTTP/1.1\na:b\n\n_2', 'REQUEST 23 B "GET /x HTTP/1.1⏎a:b⏎⏎_2"'],
    ['HTTP/1.1 200 OK\n', 'RESPONSE 16 B "HTTP/1.1 200 OK⏎"'],
    [' 500 Server Error\r\n', 'RESPONSE 19 B " 500 Server Error␍⏎"'],
    ['_3', 'BODY_END "_3"'],
  ])('shows text: %#', (text, line) => {
    expect(v1(text)).toBe(line)
  })

  it('shows a body', () => {
    expect(describeMessage('1.0', { kind: 'binary', data: Buffer.from('hi') }, { from: 'router' })).toBe(
      '→ BODY 2 B "hi"',
    )
  })

  it.each([
    ['no marker', 'GET /x HTTP/1.1\na:b\n', /✗ .*without a marker/],
    ['no empty line before the marker', 'GET /x HTTP/1.1\na:b\n_2', /✗ the empty line before the marker is missing/],
    ['more than peers can read', `GET /x HTTP/1.1\na:${'b'.repeat(17_000)}\n\n_2`, /✗ more than 16384 bytes/],
  ])('says what is wrong with a request: %s', (_, text, line) => {
    expect(v1(text, { from: 'router' })).toMatch(line)
  })

  it('says what is wrong with a response', () => {
    expect(v1('hello', { from: 'connector' })).toMatch(/✗ .*no status line/)
  })
})

describe('either version', () => {
  it.each([
    [{ kind: 'ping', data: Buffer.from([0, 1]) } as const, 'PING 2 B 0x0001'],
    [{ kind: 'pong', data: Buffer.alloc(0) } as const, 'PONG 0 B'],
    [{ kind: 'close', code: 1001, reason: 'Going away' } as const, 'CLOSE 1001 "Going away"'],
    [{ kind: 'close', code: 1005, reason: '' } as const, 'CLOSE without a code'],
  ])('shows control messages: %#', (message, line) => {
    for (const version of ['1.0', '3.0'] as const) expect(describeMessage(version, message)).toBe(line)
  })

  it('never writes a line end, nor what a terminal would act on', () => {
    const nasty = '\x1b[31m\u202e\u2028\n\r\x07\u009b'
    for (const line of [v3(data(nasty)), v3(header(nasty)), v1(nasty), v3(rstFrame(1, 1, nasty))]) {
      expect(line).not.toMatch(/[\0-\x1f\x7f-\x9f\u2028-\u202e]/)
    }
  })
})

describe('redaction', () => {
  const secret = 'hunter2'
  const head = `GET /x HTTP/1.1\nAuthorization: Basic ${secret}\ncookie:a=${secret}\nx:y\n`

  it('hides the values of fields that carry secrets, in text and in values', () => {
    const meaning = meaningOf('3.0', { kind: 'binary', data: header(head) }, { redact: true })
    expect(meaning.text).toBe('GET /x HTTP/1.1\nAuthorization:***\ncookie:***\nx:y\n')
    expect(meaning.head?.headers).toEqual(['Authorization', '***', 'cookie', '***', 'x', 'y'])
    expect(v1(`${head}\n_2`, { redact: true })).not.toContain(secret)
    expect(v1(`HTTP/1.1 200 OK\nset-cookie:${secret}\nProxy-Authorization :${secret}`, { redact: true })).not.toContain(
      secret,
    )
  })

  it('shows them where nobody asked for it', () => {
    expect(v3(header(head))).toContain(secret)
  })

  it('hides the first line of a part that may be the rest of a secret', () => {
    const rest = `${secret}\nx:y\n`
    expect(v3(header(rest, 4), { redact: true })).toBe('HEADER #7 END_HEADERS 12 B "***⏎x:y⏎"')
    expect(v3(header(rest, 4), { redact: true, continued: true })).not.toContain(secret)
    expect(v3(header('grpc-status:0\n', 5), { redact: true, continued: false })).toContain('grpc-status:0')
  })
})
