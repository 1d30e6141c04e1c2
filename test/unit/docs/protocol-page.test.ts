import { connect } from 'node:net'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { describeMessage } from '../../../protocol/describe.js'
import * as limits from '../../../protocol/limits.js'
import { encodeTargetForStrictPeers, isForwardableTarget } from '../../../protocol/target-text.js'
import { encodeRequestText } from '../../../protocol/v1/request-text.js'
import { SendCredit } from '../../../protocol/v3/flow.js'
import { createRouter, type Router } from '../../../router/index.js'
import { vectors } from '../../support/vectors.js'
import {
  anchorsLinkedTo,
  blocks,
  bytesOf,
  example,
  headings,
  listedSections,
  sectionsReferredTo,
  table,
  textOf,
} from './protocol-page.js'

describe('the sections of docs/protocol.md', () => {
  it('are numbered without a gap', () => {
    let before: number[] = []
    expect(headings.length).toBeGreaterThan(70)
    for (const { number } of headings) {
      const now = number.split('.').map(Number)
      const last = (now.at(-1) as number) - 1
      const expected = last === 0 ? now.slice(0, -1) : [...now.slice(0, -1), last]
      expect(before.slice(0, expected.length), `before ${number}`).toEqual(expected)
      before = now
    }
  })

  it('are all listed in the table of contents', () => {
    const upToTwo = headings.map(({ number }) => number).filter((number) => number.split('.').length <= 2)
    expect(listedSections()).toEqual(upToTwo)
  })

  it('exist where the text refers to them', () => {
    const numbers = new Set(headings.map(({ number }) => number))
    expect(sectionsReferredTo().length).toBeGreaterThan(40)
    for (const number of sectionsReferredTo()) expect(numbers, number).toContain(number)
    const anchors = new Set(headings.map(({ anchor }) => anchor))
    for (const anchor of anchorsLinkedTo()) expect(anchors).toContain(anchor)
  })
})

describe('the examples of docs/protocol.md', () => {
  it('show frames of 3.0 that mean what is written beside them', () => {
    const frames = blocks('frames').flat().map(example)
    expect(frames.length).toBeGreaterThan(25)
    for (const { from, content, meaning } of frames) {
      const said = describeMessage('3.0', { kind: 'binary', data: bytesOf(content) })
      expect(said.startsWith(meaning) && meaning !== '', `${from}: ${content} is ${said}`).toBe(true)
      expect(said).not.toContain('✗')
    }
  })

  it('show each type of frame as the vectors do', () => {
    interface Vectors {
      readonly frames: readonly { readonly hex: string; readonly decode: { readonly kind: string } }[]
    }
    const hex = new Set(
      blocks('frames').flatMap((lines) => lines.map((line) => bytesOf(example(line).content).toString('hex'))),
    )
    const shown = vectors<Vectors>('v3-frames').frames.filter((frame) => hex.has(frame.hex))
    const kinds = new Set(shown.map(({ decode }) => decode.kind))
    expect([...kinds].sort()).toEqual(['data', 'goaway', 'header', 'rst', 'window-update'])
  })

  it('show messages of 1.0 that mean what is written beside them', () => {
    const messages = blocks('messages').flat().map(example)
    expect(messages.length).toBeGreaterThan(12)
    for (const { from, content, meaning } of messages) {
      const [kind = '', ...rest] = content.split(' ')
      const words = rest.join(' ')
      const message =
        kind === 'text'
          ? ({ kind, text: textOf(words) } as const)
          : kind === 'binary'
            ? ({ kind, data: bytesOf(words) } as const)
            : ({ kind: 'close', code: Number(rest[0]), reason: textOf(rest.slice(1).join(' ')) } as const)
      const said = describeMessage('1.0', message, { from })
      expect(said.slice(2).startsWith(meaning) && meaning !== '', `${content} is ${said}`).toBe(true)
      expect(said).not.toContain('✗')
    }
  })

  it('show a request of 1.0 byte for byte', () => {
    const rows = blocks('bytes')
      .flat()
      .map((line) => line.split(/\s{2,}/)[0] as string)
    const head = { method: 'GET', target: '/my-service/x', headers: ['host', 'www.example.com'] }
    expect(Buffer.concat(rows.map(bytesOf)).toString()).toBe(encodeRequestText(head, false))
  })

  it('show the same message masked and unmasked', () => {
    const [unmasked, masked] = (blocks('websocket')[0] as string[]).map((line) => bytesOf(example(line).content))
    expect(payloadOf(masked as Buffer)).toEqual(payloadOf(unmasked as Buffer))
    const data = payloadOf(masked as Buffer)
    expect(describeMessage('3.0', { kind: 'binary', data })).toBe('DATA #1 END_STREAM 2 B "hi"')
  })

  it('count unacknowledged bytes as a sender does', () => {
    const credit = new SendCredit()
    const rows = table('Event', 'Unacknowledged', 'DATA')
    expect(rows.length).toBeGreaterThan(8)
    for (const [event = '', unacknowledged = '', state = ''] of rows) {
      const bytes = number(/, (\d[\d,]*)/.exec(event)?.[1] ?? '')
      if (event.startsWith('send')) credit.sent(bytes)
      else credit.acknowledged(bytes)
      expect({ event, bytes: credit.unacknowledged, open: credit.open }).toEqual({
        event,
        bytes: number(unacknowledged),
        open: state.startsWith('may go'),
      })
    }
  })

  it('encode targets as the router does', () => {
    for (const [sent = '', forwarded = ''] of table('Client sends', 'Router sends, without `raw-target`')) {
      const [target, result] = [sent, forwarded].map((cell) => /`([^`]+)`/.exec(cell)?.[1])
      if (result === undefined) expect(isForwardableTarget(target as string)).toBe(false)
      else expect(encodeTargetForStrictPeers(target as string)).toBe(result)
    }
  })

  it('give the limits that the code has', () => {
    const named = table('Limit', 'Default', 'Who enforces').filter(([name = '']) => /^`[A-Z\d_]+`$/.test(name))
    expect(named.length).toBeGreaterThan(20)
    for (const [name = '', value = ''] of named) {
      expect({ name, value: limits[name.slice(1, -1) as keyof typeof limits] }).toEqual({ name, value: number(value) })
    }
  })
})

describe('the handshakes of docs/protocol.md', () => {
  let router: Router
  beforeAll(async () => {
    router = await createRouter({ host: '127.0.0.1', port: 0, registrationPort: 0 })
  })
  afterAll(() => router.close())

  it('are answered by the router byte for byte', async () => {
    const handshakes = blocks('handshake')
    expect(handshakes).toHaveLength(4)
    for (const lines of handshakes) {
      const sent: string[] = []
      const expected: string[] = []
      const frames: { readonly from: string; readonly bytes: Buffer }[] = []
      for (const line of lines) {
        const { from, content } = example(line === '→' || line === '←' ? `${line} ` : line)
        // `→` is from the connector here, as the page says.
        if (/^[0-9a-f]{2} /.test(content)) frames.push({ from, bytes: bytesOf(content) })
        else (from === 'router' ? sent : expected).push(content)
      }
      const body = expected.at(-1) === '' ? '' : `${expected.pop() as string}\n`
      const closeFrame = frames.find(({ from }) => from === 'connector')?.bytes ?? Buffer.alloc(0)
      const answer = Buffer.concat([Buffer.from(`${expected.join('\r\n')}\r\n${body}`), closeFrame])
      const received = await answerTo(`${sent.join('\r\n')}\r\n`, answer.length)
      expect(received.toString('latin1')).toBe(answer.toString('latin1'))
    }
  })

  /** The first bytes of the router's answer. */
  async function answerTo(request: string, length: number): Promise<Buffer> {
    const { host, port } = router.address.registration
    const socket = connect(port, host)
    socket.write(request)
    let received = Buffer.alloc(0)
    while (received.length < length) {
      const [chunk] = (await once(socket, 'data')) as [Buffer]
      received = Buffer.concat([received, chunk])
    }
    socket.destroy()
    return received.subarray(0, length)
  }
})

function number(text: string): number {
  return Number(text.replaceAll(',', ''))
}

/** Of one short frame, RFC 6455 §5.2. */
function payloadOf(frame: Buffer): Buffer {
  expect(frame[0]).toBe(0x82)
  const length = (frame[1] as number) & 0x7f
  if (((frame[1] as number) & 0x80) === 0) return frame.subarray(2, 2 + length)
  const key = frame.subarray(2, 6)
  return Buffer.from(frame.subarray(6, 6 + length).map((byte, i) => byte ^ (key[i % 4] as number)))
}
