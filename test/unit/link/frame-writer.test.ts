// @ts-expect-error -- exported by ws, not in its types
import { Receiver } from 'ws'
import { describe, expect, it } from 'vitest'
import { FrameWriter, type Masking, type Piece } from '../../../protocol/frame-writer.js'

interface Seen {
  readonly opcode: 'text' | 'binary' | 'ping' | 'pong'
  readonly data: Buffer
}

/** Reads frames back with ws's own parser: the writer's naive twin. */
function parse(pieces: readonly Piece[], masked: boolean): Promise<Seen[]> {
  const seen: Seen[] = []
  const receiver = new Receiver({ isServer: masked, maxPayload: 10_000_000 })
  receiver.on('message', (data: Buffer, isBinary: boolean) =>
    seen.push({ opcode: isBinary ? 'binary' : 'text', data: Buffer.from(data) }),
  )
  receiver.on('ping', (data: Buffer) => seen.push({ opcode: 'ping', data: Buffer.from(data) }))
  receiver.on('pong', (data: Buffer) => seen.push({ opcode: 'pong', data: Buffer.from(data) }))
  return new Promise((resolve, reject) => {
    receiver.on('error', reject)
    for (const piece of pieces) receiver.write(piece.bytes)
    receiver.end(() => {
      resolve(seen)
    })
  })
}

function pattern(length: number, seed: number): Buffer {
  const out = Buffer.alloc(length)
  for (let i = 0; i < length; i++) out[i] = (i * 31 + seed * 7 + (i >>> 8)) & 0xff
  return out
}

describe.each<Masking>(['none', 'random', 'zero'])('frame writer, masking %s', (masking) => {
  const masked = masking !== 'none'

  it('writes every length class, with and without a head, so that ws reads it back', async () => {
    const writer = new FrameWriter(masking)
    const sizes = [0, 1, 2, 3, 119, 120, 125, 126, 127, 2042, 2048, 2049, 16_384, 65_529, 65_530, 65_536, 200_001]
    const expected: Buffer[] = []
    for (const headLength of [0, 6, 7, 3000]) {
      for (const size of sizes) {
        const head = pattern(headLength, 1)
        const payload = pattern(size, 2)
        expected.push(Buffer.concat([head, payload]))
        writer.add(2, head, payload)
      }
    }
    const seen = await parse(writer.take(), masked)
    expect(seen.map((s) => s.data.equals(expected.shift() as Buffer))).not.toContain(false)
    expect(expected).toHaveLength(0)
  })

  it('keeps the order of control frames and data', async () => {
    const writer = new FrameWriter(masking)
    writer.add(9, Buffer.from('a'))
    writer.add(2, Buffer.from('b'), pattern(5000, 1))
    writer.add(10, Buffer.from('c'))
    writer.add(1, Buffer.alloc(0), Buffer.from('d'))
    const seen = await parse(writer.take(), masked)
    expect(seen.map((s) => s.opcode)).toEqual(['ping', 'binary', 'pong', 'text'])
  })

  it('counts the bytes that it will hand over', () => {
    const writer = new FrameWriter(masking)
    for (const size of [0, 10, 5000, 100_000]) writer.add(2, pattern(6, 1), pattern(size, 1))
    const bytes = writer.bytes
    expect(writer.take().reduce((sum, piece) => sum + piece.bytes.length, 0)).toBe(bytes)
    expect(writer.bytes).toBe(0)
  })

  it('keeps the frames of several writers apart although they share a slab', async () => {
    const writers = [new FrameWriter(masking), new FrameWriter(masking), new FrameWriter(masking)]
    for (let round = 0; round < 400; round++) {
      for (const [i, writer] of writers.entries()) writer.add(2, pattern(6, i), pattern(round, round + i))
    }
    for (const [i, writer] of writers.entries()) {
      const seen = await parse(writer.take(), masked)
      expect(seen).toHaveLength(400)
      for (const [round, s] of seen.entries()) {
        expect(s.data.equals(Buffer.concat([pattern(6, i), pattern(round, round + i)]))).toBe(true)
      }
    }
  })
})

describe('frame writer', () => {
  it('lays small frames side by side, so that a turn is one write', () => {
    const writer = new FrameWriter('none')
    for (let i = 0; i < 100; i++) writer.add(2, pattern(6, i), pattern(50, i))
    expect(writer.take().length).toBeLessThanOrEqual(2)
  })

  it('uses the same memory again once a batch has been written', () => {
    const writer = new FrameWriter('none')
    const memory = new Set<ArrayBufferLike>()
    for (let i = 0; i < 1000; i++) {
      for (let frames = 0; frames < 10; frames++) writer.add(2, pattern(6, 1), pattern(16_384, frames))
      for (const piece of writer.take()) {
        memory.add(piece.bytes.buffer)
        piece.slab.release()
      }
    }
    expect(memory.size).toBeLessThanOrEqual(9)
  })

  it('does not touch memory that is still being written', async () => {
    const slow = new FrameWriter('random')
    slow.add(2, pattern(6, 1), pattern(50_000, 1))
    const waiting = slow.take()
    const busy = new FrameWriter('random')
    for (let i = 0; i < 200; i++) {
      busy.add(2, pattern(6, 2), pattern(16_384, i))
      for (const piece of busy.take()) piece.slab.release()
    }
    const seen = await parse(waiting, true)
    expect(seen[0]?.data.equals(Buffer.concat([pattern(6, 1), pattern(50_000, 1)]))).toBe(true)
  })

  it('masks each frame with a key of its own (RFC 6455 §5.3)', () => {
    const writer = new FrameWriter('random')
    const keys = new Set<string>()
    for (let i = 0; i < 64; i++) {
      writer.add(2, Buffer.alloc(0), Buffer.from('xx'))
      keys.add(
        Buffer.concat(writer.take().map((piece) => piece.bytes))
          .subarray(2, 6)
          .toString('hex'),
      )
    }
    expect(keys.size).toBeGreaterThan(60)
  })
})
