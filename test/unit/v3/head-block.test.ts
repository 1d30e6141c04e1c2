import { describe, expect, it } from 'vitest'
import { MAX_HEAD_PARTS } from '../../../protocol/limits.js'
import { decodeFrame } from '../../../protocol/v3/frame.js'
import { encodeHeadBlock, HeadJoiner } from '../../../protocol/v3/head-block.js'
import { random } from './harness.js'

const BIG = 64 * 1024

function parts(text: string, end = false): { flags: string; payload: Buffer }[] {
  return encodeHeadBlock(1, text, end).map((bytes) => {
    const frame = decodeFrame(bytes)
    if (frame.kind !== 'header') throw new Error('no HEADER frame')
    return { flags: `${frame.end ? 'S' : ''}${frame.endHeaders ? 'H' : ''}`, payload: frame.payload }
  })
}

describe('a head block', () => {
  it('is one frame up to 16,000 bytes, and more above', () => {
    expect(parts('x'.repeat(16_000)).map((p) => p.flags)).toEqual(['H'])
    expect(parts('x'.repeat(16_001)).map((p) => [p.flags, p.payload.length])).toEqual([
      ['', 16_000],
      ['H', 1],
    ])
  })

  it('has END_STREAM on its last part only, because mu-cranker-router and scr-axum-cranker-router finish as soon as they see it', () => {
    expect(parts('x'.repeat(40_000), true).map((p) => p.flags)).toEqual(['', '', 'SH'])
  })

  it('is split between code points, because cranker-connector and mu-cranker-router decode each part by itself', () => {
    for (let shift = 0; shift < 4; shift++) {
      const text = 'x'.repeat(shift) + '€𝄞é'.repeat(6_000)
      const split = parts(text)
      expect(split.length).toBeGreaterThan(3)
      expect(split.map((p) => p.payload.toString('utf8')).join('')).toBe(text)
      for (const part of split) expect(part.payload.length).toBeLessThanOrEqual(16_000)
    }
  })

  it('is joined to the same text when a peer splits it at any byte', () => {
    const text = 'GET /é€𝄞 HTTP/1.1\nx:\xe4\n'
    const bytes = Buffer.from(text)
    for (let at = 0; at <= bytes.length; at++) {
      const joiner = new HeadJoiner(BIG)
      expect(joiner.add(bytes.subarray(0, at), false)).toBeUndefined()
      expect(joiner.add(bytes.subarray(at), true)).toBe(text)
    }
  })

  it('is joined to the same text when a peer splits it anywhere, often', () => {
    const next = random(11)
    const text = 'HTTP/1.1 200 OK\n' + 'é€𝄞:x\n'.repeat(800)
    const bytes = Buffer.from(text)
    for (let round = 0; round < 50; round++) {
      const joiner = new HeadJoiner(BIG)
      let at = 0
      for (let part = 0; part < 20; part++) {
        const to = Math.min(bytes.length, at + Math.floor(next() * 400))
        // A read buffer that is used again: what is kept must be a copy.
        const view = Buffer.from(bytes.subarray(at, to))
        joiner.add(view, false)
        view.fill(0)
        at = to
      }
      expect(joiner.add(bytes.subarray(at), true)).toBe(text)
      expect(joiner.partial).toBe(false)
    }
  })

  it('is refused above its largest size', () => {
    const joiner = new HeadJoiner(1000)
    joiner.add(Buffer.alloc(600), false)
    expect(() => joiner.add(Buffer.alloc(401), true)).toThrowError(
      expect.objectContaining({ code: 'CRANKER_ERR_HEAD_TOO_LARGE' }),
    )
    expect(() => new HeadJoiner(1000).add(Buffer.alloc(1001), true)).toThrow()
    expect(new HeadJoiner(1000).add(Buffer.alloc(1000, 'x'), true)).toHaveLength(1000)
  })

  it('is refused in endlessly many parts, even empty ones', () => {
    const joiner = new HeadJoiner(BIG)
    for (let i = 0; i < MAX_HEAD_PARTS; i++) joiner.add(Buffer.alloc(0), false)
    expect(() => joiner.add(Buffer.alloc(0), false)).toThrowError(
      expect.objectContaining({ code: 'CRANKER_ERR_HEAD_TOO_LARGE' }),
    )
  })
})
