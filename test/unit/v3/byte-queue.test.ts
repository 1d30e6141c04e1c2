import { describe, expect, it } from 'vitest'
import { ByteQueue } from '../../../protocol/v3/byte-queue.js'
import { random } from './harness.js'

/** A small view on a large buffer, as `ws` hands them out. */
function view(text: string): Buffer {
  const slab = Buffer.alloc(65_536)
  slab.write(text, 1_000)
  return slab.subarray(1_000, 1_000 + text.length)
}

describe('a queue of body pieces', () => {
  it('gives a large piece out in slices and small ones together', () => {
    const queue = new ByteQueue()
    queue.push(Buffer.alloc(40_000))
    for (let i = 0; i < 3; i++) queue.push(Buffer.from('ab'))
    expect(queue.take(16_384)).toHaveLength(16_384)
    expect(queue.take(16_384)).toHaveLength(16_384)
    expect(queue.take(16_384)).toHaveLength(40_000 - 32_768)
    expect(queue.take(16_384).toString()).toBe('ababab')
    expect(queue.bytes).toBe(0)
  })

  it('does not copy what leaves in the same turn', () => {
    const queue = new ByteQueue()
    const piece = view('hello')
    queue.push(piece)
    expect(queue.take(16_384)).toBe(piece)
  })

  it('copies small received slices that stay, because they pin the 64 KiB buffer under them', () => {
    const queue = new ByteQueue()
    queue.push(view('hel'))
    queue.push(view('lo'))
    queue.keep()
    queue.push(view('!'))
    queue.keep()
    const taken = queue.take(16_384)
    expect(taken.toString()).toBe('hello!')
    expect(taken.buffer.byteLength).toBeLessThan(100)
  })

  it('copies the small rest of a large piece, too', () => {
    const queue = new ByteQueue()
    const slab = Buffer.alloc(65_536, 'x')
    queue.push(slab)
    queue.keep()
    for (let i = 0; i < 3; i++) queue.take(16_384)
    queue.take(16_000)
    queue.keep()
    const rest = queue.take(16_384)
    expect(rest).toHaveLength(384)
    expect(rest.buffer).not.toBe(slab.buffer)
  })

  it('keeps thousands of tiny pieces as a few', () => {
    const queue = new ByteQueue()
    for (let i = 0; i < 5_000; i++) {
      queue.push(view('x'))
      queue.keep()
    }
    expect(queue.bytes).toBe(5_000)
    expect(queue.take(16_384).length + queue.take(16_384).length).toBe(5_000)
  })

  it('gives out the bytes that went in, however they are pushed, kept and taken', () => {
    const next = random(5)
    for (let round = 0; round < 50; round++) {
      const queue = new ByteQueue()
      const put: Buffer[] = []
      const got: Buffer[] = []
      for (let step = 0; step < 200; step++) {
        const dice = next()
        if (dice < 0.5) {
          const piece = Buffer.alloc(Math.floor(next() ** 4 * 40_000) + 1, step)
          put.push(Buffer.from(piece))
          queue.push(piece)
        } else if (dice < 0.7) queue.keep()
        else got.push(Buffer.from(queue.take(1 + Math.floor(next() * 16_384))))
        expect(queue.bytes).toBe(total(put) - total(got))
      }
      while (queue.bytes > 0) got.push(Buffer.from(queue.take(16_384)))
      expect(Buffer.concat(got).equals(Buffer.concat(put))).toBe(true)
    }
  })

  it('keeps what was borrowed when its owner fills the buffer again', () => {
    const queue = new ByteQueue()
    const shared = Buffer.alloc(65_536, 'a')
    for (const length of [10, 5_000, 65_536]) queue.push(shared.subarray(0, length))
    queue.keep()
    shared.fill('b')
    const got: Buffer[] = []
    while (queue.bytes > 0) got.push(Buffer.from(queue.take(16_384)))
    expect(Buffer.concat(got).equals(Buffer.alloc(70_546, 'a'))).toBe(true)
  })
})

function total(buffers: Buffer[]): number {
  return buffers.reduce((sum, buffer) => sum + buffer.length, 0)
}
