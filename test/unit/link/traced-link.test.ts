import { describe, expect, it } from 'vitest'
import type { LinkHandler } from '../../../protocol/link.js'
import { traced } from '../../../protocol/traced-link.js'
import { dataHead, headerFrameOfText } from '../../../protocol/v3/frame.js'
import { linkPair } from '../../support/fake-link.js'

function recordingHandler(): { heard: string[]; handler: LinkHandler } {
  const heard: string[] = []
  const handler: LinkHandler = {
    onText: (text) => heard.push(`text ${text}`),
    onBinary: (data) => heard.push(`binary ${String(data.length)}`),
    onPing: () => heard.push('ping'),
    onPong: () => heard.push('pong'),
    onTurn: () => heard.push('turn'),
    onDrain: () => heard.push('drain'),
    onCloseFrame: (code) => heard.push(`close ${String(code)}`),
    onClosed: (code) => heard.push(`closed ${String(code)}`),
  }
  return { heard, handler }
}

function setUp(version: '1.0' | '3.0') {
  const pair = linkPair({ auto: false })
  const lines: string[] = []
  const tracer = (line: string, socketID: string) => lines.push(`${socketID} ${line}`)
  const link = traced(pair.router, { tracer, version, socketID: 's1', side: 'router' })
  const { heard, handler } = recordingHandler()
  link.handler = handler
  return { pair, link, lines, heard }
}

const head = (text: string, flags = 5) => headerFrameOfText(1, flags, text, Buffer.byteLength(text))

describe('a traced link', () => {
  it('is the link itself when nobody traces', () => {
    const { router } = linkPair()
    expect(traced(router, { tracer: undefined, version: '3.0', socketID: 's1', side: 'router' })).toBe(router)
  })

  it('tells what is sent and what is received, and passes both on', () => {
    const { pair, link, lines, heard } = setUp('3.0')
    link.sendBinary(head('GET / HTTP/1.1\n'))
    link.sendBinary(dataHead(1, true), Buffer.from('hi'))
    link.requestTurn()
    pair.connector.sendBinary(head('HTTP/1.1 204 No Content\n'))
    pair.connector.ping(Buffer.from([1]))
    pair.settle()
    link.close(1001, 'Going away')
    pair.settle()
    expect(lines).toEqual([
      's1 → HEADER #1 END_STREAM|END_HEADERS 15 B "GET / HTTP/1.1⏎"',
      's1 → DATA #1 END_STREAM 2 B "hi"',
      's1 ← HEADER #1 END_STREAM|END_HEADERS 24 B "HTTP/1.1 204 No Content⏎"',
      's1 ← PING 1 B 0x01',
      's1 → CLOSE 1001 "Going away"',
      's1 ← CLOSE 1001 "Going away"',
    ])
    expect(pair.router.binary.map(String)).toEqual([String(head('GET / HTTP/1.1\n')), `${String(dataHead(1, true))}hi`])
    expect(heard).toEqual(['turn', 'binary 30', 'ping', 'close 1001', 'closed 1001'])
  })

  it('tells the messages of 1.0, and that a connection was lost', () => {
    const { pair, link, lines } = setUp('1.0')
    link.sendText('GET / HTTP/1.1\n\n_2')
    pair.connector.sendText('HTTP/1.1 200 OK\n')
    pair.connector.sendBinary(Buffer.from('hi'))
    pair.settle()
    pair.connector.terminate()
    pair.settle()
    expect(lines).toEqual([
      's1 → REQUEST 18 B "GET / HTTP/1.1⏎⏎_2"',
      's1 ← RESPONSE 16 B "HTTP/1.1 200 OK⏎"',
      's1 ← BODY 2 B "hi"',
      's1 ← CLOSE 1006 "the connection was lost"',
    ])
  })

  it('says nothing about what is not sent any more', () => {
    const { pair, link, lines } = setUp('3.0')
    link.close(1000, '')
    pair.settle()
    lines.length = 0
    link.sendBinary(dataHead(1, true))
    link.sendText('late')
    link.ping()
    link.pong()
    link.close(1000, '')
    expect(lines).toEqual([])
  })

  it('hides secrets, also where a head is split inside of one', () => {
    const { link, lines } = setUp('3.0')
    link.sendBinary(head('GET / HTTP/1.1\ncookie:a=hunt', 0))
    link.sendBinary(head('er2:\nGET /hunter2 HTTP/1.1\n', 0))
    link.sendBinary(head('authorization:hunter2\nx:y\n', 4))
    link.sendBinary(head('grpc-status:0\n', 5))
    expect(lines.join('\n')).not.toContain('er2:')
    expect(lines.filter((line) => line.includes('hunter2'))).toEqual([
      's1 → HEADER #1 27 B "***⏎GET /hunter2 HTTP/1.1⏎"',
    ])
    expect(lines.at(-2)).toBe('s1 → HEADER #1 END_HEADERS 26 B "***⏎x:y⏎"')
    expect(lines.at(-1)).toContain('grpc-status:0')
  })
})
