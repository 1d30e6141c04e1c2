import { describe, expect, it } from 'vitest'
import { FrameBoundary } from '../../../router/frame-boundary.js'
import { closeFrame, frame } from '../../support/websocket-cases.js'

describe('the boundary between WebSocket frames', () => {
  it.each([
    [0, true],
    [0, false],
    [1, true],
    [125, false],
    [126, true],
    [65_535, true],
    [65_536, true],
    [65_536, false],
  ])('is behind each of two frames of %i bytes and nowhere else (masked: %s)', (size, masked) => {
    const one = frame({ opcode: 2, payload: Buffer.alloc(size), masked })
    const bytes = Buffer.concat([one, one])
    const boundary = new FrameBoundary()
    const clean: number[] = boundary.clean ? [0] : []
    for (let i = 0; i < bytes.length; i++) {
      boundary.push(bytes.subarray(i, i + 1))
      if (boundary.clean) clean.push(i + 1)
    }
    expect(clean).toEqual([0, one.length, 2 * one.length])
    expect(boundary.closed).toBe(false)
  })

  it('is found in whatever pieces the bytes come', () => {
    const bytes = Buffer.concat(Array.from({ length: 50 }, (_, i) => frame({ opcode: 1, payload: 'x'.repeat(i * 7) })))
    for (const piece of [1, 2, 3, 7, 64, bytes.length]) {
      const boundary = new FrameBoundary()
      for (let at = 0; at < bytes.length; at += piece) boundary.push(bytes.subarray(at, at + piece))
      expect(boundary.clean).toBe(true)
      boundary.push(bytes.subarray(0, 3))
      expect(boundary.clean).toBe(false)
    }
  })

  it('knows that nothing may follow a Close frame', () => {
    const boundary = new FrameBoundary()
    boundary.push(frame({ opcode: 9 }))
    expect(boundary.closed).toBe(false)
    boundary.push(closeFrame(1000))
    expect([boundary.clean, boundary.closed]).toEqual([true, true])
  })
})
