/** Bodies that are told apart by their hash: bytes that look random, and no block like another. */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { seeded } from '../support/random.js'

export const MIB = 1024 * 1024
const BLOCK_BYTES = 64 * 1024

const random = seeded(1)
const noise = Buffer.from(Array.from({ length: BLOCK_BYTES }, () => random(256)))

/** `bytes`, a multiple of 64 KiB, as a stream. */
export function payload(bytes: number): Readable {
  return Readable.from(blocks(bytes), { objectMode: false, highWaterMark: BLOCK_BYTES })
}

function* blocks(bytes: number): Generator<Buffer> {
  for (let at = 0; at < bytes; at += BLOCK_BYTES) {
    const block = Buffer.from(noise)
    block.writeDoubleBE(at)
    yield block
  }
}

/** What `digest(payload(bytes))` is. */
export function digestOf(bytes: number): Promise<string> {
  return digest(payload(bytes))
}

/** Reads a stream to its end, which must be a proper one: its length and its SHA-256. */
export async function digest(stream: Readable): Promise<string> {
  const hash = createHash('sha256')
  let length = 0
  await pipeline(stream, async (chunks: AsyncIterable<Buffer>) => {
    for await (const chunk of chunks) {
      hash.update(chunk)
      length += chunk.length
    }
  })
  return `${length} bytes, ${hash.digest('hex')}`
}
