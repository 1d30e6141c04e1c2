import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  dataHead,
  decodeFrame,
  type Frame,
  goawayFrame,
  headerFrame,
  headerFrameOfText,
  rstFrame,
  windowUpdateFrame,
} from '../../../protocol/v3/frame.js'
import { random } from './harness.js'

interface Vector {
  readonly name: string
  readonly hex: string
  readonly canonical?: boolean
  readonly decode: Record<string, unknown>
}

const vectors = JSON.parse(readFileSync(new URL('../../vectors/v3-frames.json', import.meta.url), 'utf8')) as {
  frames: Vector[]
}

function plain(frame: Frame): Record<string, unknown> {
  const fields: Record<string, unknown> = { ...frame }
  if ('payload' in frame) fields['payload'] = frame.payload.toString('hex')
  if (frame.kind === 'rst') fields['code'] = frame.code ?? null
  return fields
}

function encode(frame: Frame): Buffer {
  switch (frame.kind) {
    case 'data':
      return Buffer.concat([dataHead(frame.id, frame.end), frame.payload])
    case 'header': {
      const flags = (frame.end ? 1 : 0) | (frame.endHeaders ? 4 : 0)
      return headerFrame(frame.id, flags, frame.payload, 0, frame.payload.length)
    }
    case 'rst':
      return rstFrame(frame.id, frame.code ?? 0, frame.text)
    case 'goaway':
      return goawayFrame(frame.lastId, frame.code, frame.text)
    case 'window-update':
      return windowUpdateFrame(frame.id, frame.increment)
    case 'unknown':
    case 'malformed':
    case 'short':
      throw new Error('never sent')
  }
}

/** The decoder as one would write it from the page that describes the protocol, with no thought of speed. */
function naiveDecode(message: Buffer): Record<string, unknown> {
  const view = new DataView(message.buffer, message.byteOffset, message.length)
  if (message.length < 6) return { kind: 'short' }
  const type = view.getUint8(0)
  const flags = view.getUint8(1).toString(2).padStart(8, '0')
  const id = view.getInt32(2)
  const rest = [...message].slice(6)
  const payload = Buffer.from(rest).toString('hex')
  const text = (from: number): string =>
    Array.from(new TextDecoder('utf-8', { ignoreBOM: true }).decode(Buffer.from(rest.slice(from, from + 200))))
      .map((c) => (c < ' ' || c === '\x7f' ? ' ' : c))
      .join('')
  const int = (at: number): number => view.getInt32(6 + at)
  if (type === 0) return { kind: 'data', id, end: flags[7] === '1', payload }
  if (type === 1) return { kind: 'header', id, end: flags[7] === '1', endHeaders: flags[5] === '1', payload }
  if (type === 3) {
    return rest.length < 4
      ? { kind: 'rst', id, code: null, text: '' }
      : { kind: 'rst', id, code: int(0), text: text(4) }
  }
  if (type === 7 && rest.length >= 8) return { kind: 'goaway', lastId: int(0), code: int(4), text: text(8) }
  if (type === 8 && rest.length >= 4 && int(0) >= 0) return { kind: 'window-update', id, increment: int(0) }
  if (type === 7 || type === 8) return { kind: 'malformed', id, type }
  return { kind: 'unknown', id, type }
}

describe('the 3.0 frame codec', () => {
  it.each(vectors.frames)('reads the vector: $name', ({ hex, decode }) => {
    expect(plain(decodeFrame(Buffer.from(hex, 'hex')))).toEqual(decode)
  })

  it.each(vectors.frames.filter((v) => v.canonical === true))('writes the vector: $name', ({ hex }) => {
    expect(encode(decodeFrame(Buffer.from(hex, 'hex'))).toString('hex')).toBe(hex)
  })

  it('reads any bytes as its naive twin does, and never throws', () => {
    const next = random(7)
    const types = [0, 1, 2, 3, 7, 8, 255]
    for (let round = 0; round < 5_000; round++) {
      const message = Buffer.from(Array.from({ length: Math.floor(next() * 24) }, () => Math.floor(next() * 256)))
      if (message.length > 0 && next() < 0.9) message[0] = types[Math.floor(next() * types.length)] as number
      expect(plain(decodeFrame(message)), message.toString('hex')).toEqual(naiveDecode(message))
    }
  })

  it('caps the text of RST_STREAM and GOAWAY between two code points', () => {
    const frame = decodeFrame(rstFrame(1, 1011, 'é'.repeat(5_000)))
    expect(frame).toMatchObject({ kind: 'rst', code: 1011, text: 'é'.repeat(100) })
    expect(rstFrame(1, 1011, 'aé'.repeat(5_000)).length).toBeLessThanOrEqual(210)
    expect(decodeFrame(goawayFrame(1, 0, 'x'.repeat(5_000)))).toMatchObject({ text: 'x'.repeat(200) })
  })

  it('writes head text of any script as UTF-8', () => {
    const text = 'x:é€\n'
    expect(headerFrameOfText(9, 4, text, Buffer.byteLength(text)).subarray(6).toString()).toBe(text)
  })
})
