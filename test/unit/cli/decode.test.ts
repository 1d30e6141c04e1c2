import { describe, expect, it } from 'vitest'
import { readChunks } from '../../../cli/decode-input.js'
import { readWebSocketStream } from '../../../cli/decode-websocket.js'
import { encodeWireFrame, OPCODE } from '../../../check/websocket-frames.js'

const hexes = (text: string, format: Parameters<typeof readChunks>[1] = 'auto') =>
  readChunks(Buffer.from(text), format).map(({ bytes }) => bytes.toString('hex'))
const DATA = '00010000000168656c6c6f'

describe('the input of cranker decode', () => {
  it.each([
    ['plain hex', `${DATA}\n`],
    ['hex with spaces', '00 01 00000001 68656c6c6f'],
    ['hex with 0x and commas', '0x00,0x01,0x00,0x00,0x00,0x01,0x68,0x65,0x6c,0x6c,0x6f'],
    ['hex with colons', '00:01:00:00:00:01:68:65:6C:6C:6F'],
    ['xxd', '00000000: 0001 0000 0001 6865 6c6c 6f              ......hello\n'],
    ['xxd over several lines', '00000000: 0001 0000 0001 6865  ......he\n00000008: 6c6c 6f                llo\n'],
    ['hexdump -C', '00000000  00 01 00 00 00 01 68 65  6c 6c 6f                 |......hello|\n0000000b\n'],
    ['tcpdump -x', '\t0x0000:  0001 0000 0001 6865\n\t0x0008:  6c6c 6f\n'],
    ['base64', 'AAEAAAABaGVsbG8=\n'],
    ['hex under a comment', `# the first frame\n${DATA}\n`],
  ])('may be %s', (_, text) => {
    expect(hexes(text)).toEqual([DATA])
  })

  it('may be the bytes themselves', () => {
    const bytes = Buffer.from(DATA, 'hex')
    expect(readChunks(bytes, 'auto')).toEqual([{ bytes, line: undefined }])
    expect(readChunks(Buffer.from('abcd'), 'binary')[0]?.bytes.toString()).toBe('abcd')
  })

  it('has one message a line, and one a group where empty lines part groups', () => {
    expect(hexes('0001\n0002\n')).toEqual(['0001', '0002'])
    expect(hexes('00\n01\n\n00\n02\n')).toEqual(['0001', '0002'])
    expect(hexes('00000000: 0001 0000\n00000004: 0001\n00000000: 0002\n')).toEqual(['000100000001', '0002'])
  })

  it('is never taken for the text beside a dump', () => {
    expect(hexes('00000000: 6465 6164 2062 6565 6620 6361 6665 2e2e  dead beef cafe..')).toEqual([
      '64656164206265656620636166652e2e',
    ])
  })

  it.each([
    ['hex', '00zz', /line 1 is not hex: it contains "z"/],
    ['hex', '00\n000', /line 2 has an odd number of hex digits/],
    ['base64', '!!!!', /line 1 is not base64/],
  ] as const)('says why it is no %s: %s', (format, text, why) => {
    expect(() => readChunks(Buffer.from(text), format)).toThrow(why)
  })
})

describe('a captured WebSocket stream', () => {
  const mask = Buffer.from([1, 2, 3, 4])
  const frame = Buffer.from(DATA, 'hex')

  it('yields the messages of a connector, unmasked and put together', () => {
    const bytes = Buffer.concat([
      Buffer.from('GET /register/ HTTP/1.1\r\nSec-WebSocket-Protocol: cranker_3.0\r\n\r\n'),
      encodeWireFrame(OPCODE.binary, frame, { mask }),
      encodeWireFrame(OPCODE.text, Buffer.from('HTTP/1.1 '), { mask, fin: false }),
      encodeWireFrame(OPCODE.ping, Buffer.from([7]), { mask }),
      encodeWireFrame(OPCODE.continuation, Buffer.from('200 OK\n'), { mask }),
      encodeWireFrame(OPCODE.close, Buffer.from([3, 0xe9, 0x62, 0x79, 0x65]), { mask }),
    ])
    const stream = readWebSocketStream(bytes)
    expect(stream).toMatchObject({ from: 'connector', version: undefined, problem: undefined })
    expect(stream.messages).toEqual([
      { kind: 'binary', data: frame },
      { kind: 'ping', data: Buffer.from([7]) },
      { kind: 'text', text: 'HTTP/1.1 200 OK\n' },
      { kind: 'close', code: 1001, reason: 'bye' },
    ])
  })

  it.each([
    ['Sec-WebSocket-Protocol: cranker_3.0\r\n', '3.0'],
    ['Sec-WebSocket-Protocol: cranker_1.0\r\n', '1.0'],
    ['CrankerProtocol: 1.0\r\n', '1.0'],
  ])('has the version that the router chose: %s', (field, version) => {
    const bytes = Buffer.from(`HTTP/1.1 101 Switching Protocols\r\n${field}\r\n`)
    expect(readWebSocketStream(bytes)).toMatchObject({ version, messages: [], problem: undefined })
  })

  it('reads from the beginning of any frame', () => {
    const large = Buffer.alloc(70_000, 1)
    const stream = readWebSocketStream(
      Buffer.concat([encodeWireFrame(OPCODE.binary, large), encodeWireFrame(OPCODE.pong, frame)]),
    )
    expect(stream).toMatchObject({ from: 'router', problem: undefined })
    expect(stream.messages.map(({ kind }) => kind)).toEqual(['binary', 'pong'])
  })

  it.each([
    ['an incomplete frame', encodeWireFrame(OPCODE.binary, frame).subarray(0, 7), /the last 7 bytes are no whole/],
    ['an unfinished message', encodeWireFrame(OPCODE.text, frame, { fin: false }), /the last message is not complete/],
    ['the middle of a message', encodeWireFrame(OPCODE.continuation, frame), /begins inside a fragmented message/],
    ['an unknown opcode', Buffer.from([0x8b, 0]), /unknown opcode 11/],
    ['compression', Buffer.from([0xc2, 0]), /reserved bits/],
    ['an impossible length', Buffer.from([0x82, 127, 0, 0, 255, 255, 255, 255, 255, 255]), /no WebSocket stream/],
  ])('says what it could not read: %s', (_, bytes, problem) => {
    expect(readWebSocketStream(bytes).problem).toMatch(problem)
  })
})
