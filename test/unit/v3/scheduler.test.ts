import { describe, expect, it } from 'vitest'
import { CrankerError } from '../../../protocol/errors.js'
import { KiB } from '../../../protocol/limits.js'
import { ConnectorSide, data, header, OK, short, windowUpdate } from './harness.js'

const LINK_FULL = 256 * KiB

/** A connector whose socket is full until the test lets bytes go. */
function full(streams: number, bytes: number): ConnectorSide {
  const side = new ConnectorSide({ config: { maxStreams: 2_000 } })
  for (let id = 1; id <= streams; id++) side.peer.link.sendBinary(header(id, 5, 'GET / HTTP/1.1\n'))
  side.settle()
  side.pair.connector.hold()
  for (const { response } of side.requests) {
    response.head(OK, false)
    response.write(Buffer.alloc(bytes))
  }
  side.settle()
  return side
}

/** Lets `bytes` go and returns the frames that they were. */
function release(side: ConnectorSide, bytes: number): string[] {
  side.pair.connector.release(bytes)
  return side.peer.take().map(short)
}

describe('the scheduler', () => {
  it('hands no more than 256 KiB and a turn to the link, however many streams want to write', () => {
    const side = full(1_000, 64 * KiB)
    expect(side.pair.connector.queued).toBeGreaterThan(LINK_FULL - 32 * KiB)
    expect(side.pair.connector.maxQueued).toBeLessThan(LINK_FULL + 32 * KiB)
    for (let i = 0; i < 50; i++) release(side, 64 * KiB)
    expect(side.pair.connector.maxQueued).toBeLessThan(LINK_FULL + 32 * KiB)
  })

  it('lets a small response pass 1,000 streams with 64 KiB each', () => {
    const side = full(1_000, 64 * KiB)
    side.peer.send(header(1_001, 5, 'GET /small HTTP/1.1\n'))
    const small = side.requests[1_000]
    small?.response.head(OK, false)
    small?.response.end(Buffer.from('small'))
    let released = 0
    const seen: string[] = []
    while (!seen.includes('data 1001 5 end') && released < 10_000 * KiB) {
      seen.push(...release(side, 16 * KiB))
      released += 16 * KiB
    }
    // The first heads of the others are small and were first; then what the link held.
    expect(released).toBeLessThan(LINK_FULL + 64 * KiB)
  })

  it('sends acknowledgements and resets before bulk', () => {
    const side = full(20, 64 * KiB)
    side.peer.send(header(21, 4, 'POST / HTTP/1.1\n'), data(21, Buffer.alloc(30_000)))
    const frames: string[] = []
    for (let i = 0; i < 18; i++) frames.push(...release(side, 16 * KiB))
    const ours = frames.findIndex((frame) => frame.startsWith('window-update 21'))
    expect(ours).toBeGreaterThan(0)
    const bulkAfter = frames.slice(ours).filter((frame) => frame.startsWith('data'))
    expect(bulkAfter.length).toBeGreaterThan(0)
  })

  it('gives every stream its turn of 16 KiB', () => {
    const side = full(10, 64 * KiB)
    const sent = new Map<string, number>()
    // What the first four streams could hand to an empty link at once.
    for (let i = 0; i < 16; i++) release(side, 16 * KiB)
    for (let i = 0; i < 20; i++) {
      for (const frame of release(side, 16 * KiB)) {
        const [kind, id = '', bytes] = frame.split(' ')
        if (kind !== 'data') continue
        expect(Number(bytes)).toBeLessThanOrEqual(16 * KiB)
        sent.set(id, (sent.get(id) ?? 0) + Number(bytes))
      }
      const amounts = [...sent.values()]
      if (sent.size === 6) expect(Math.max(...amounts) - Math.min(...amounts)).toBeLessThanOrEqual(16 * KiB)
    }
    expect(sent.size).toBe(6)
  })

  it('does not starve downloads by a flood of small responses', () => {
    const side = full(10, 64 * KiB)
    let id = 10
    const frames: string[] = []
    for (let round = 0; round < 60; round++) {
      // More small responses come than the link takes.
      for (let i = 0; i < 20; i++) {
        side.peer.link.sendBinary(header(++id, 5, 'GET / HTTP/1.1\n'))
        side.settle()
        const { response } = side.requests.at(-1) ?? {}
        response?.head(OK, false)
        response?.end(Buffer.alloc(2_000))
      }
      frames.push(...release(side, 16 * KiB))
    }
    // The first 256 KiB were in the link before the flood began.
    const late = frames.slice(frames.findIndex((frame) => frame.startsWith('header 11 ')))
    expect(late.filter((frame) => frame.endsWith(' 16384')).length).toBeGreaterThanOrEqual(4)
    expect(late.filter((frame) => frame.endsWith(' 2000 end')).length).toBeGreaterThan(100)
  })

  it('joins what a handler writes in small pieces in one turn', () => {
    const side = new ConnectorSide()
    const { response } = side.request()
    response.head(OK, false)
    for (let i = 0; i < 100; i++) response.write(Buffer.alloc(100))
    expect(side.peer.takeShort()).toEqual(['header 1 endHeaders', 'data 1 10000'])
  })

  it('stops at the credit of the peer and goes on when it is acknowledged', () => {
    const side = new ConnectorSide()
    const { response } = side.request()
    response.head(OK, false)
    response.write(Buffer.alloc(200_000))
    const sent = side.peer.takeShort().filter((frame) => frame.startsWith('data'))
    // Above 65,536 by at most a frame: the published rule.
    expect(sent).toEqual(['data 1 16384', 'data 1 16384', 'data 1 16384', 'data 1 16384'])
    side.peer.send(windowUpdate(1, 40_000))
    expect(side.peer.takeShort()).toEqual([])
    side.peer.send(windowUpdate(1, 20_000))
    expect(side.peer.takeShort()).toEqual(['data 1 16384', 'data 1 16384', 'data 1 16384', 'data 1 16384'])
  })

  it('drops what a reset stream had queued', () => {
    const side = full(200, 64 * KiB)
    for (const request of side.requests.slice(100))
      request.response.reset(new CrankerError('CRANKER_ERR_TARGET_FAILED', 'x'))
    expect(side.session.load).toBe(100)
    side.pair.connector.release()
    const late = side.peer.take().map(short)
    // What was in the link already comes; after the resets, nothing of theirs does.
    const reset = new Set(late.filter((f) => f.startsWith('rst')).map((f) => f.split(' ')[1]))
    expect(reset.size).toBe(100)
    const after = late.slice(late.findIndex((frame) => frame.startsWith('rst')))
    expect(after.filter((f) => f.startsWith('data') && reset.has(f.split(' ')[1]))).toEqual([])
  })

  it.each(['the link is full', 'the peer gives no credit'])('pins no read buffer while %s', (why) => {
    const side = full(why === 'the link is full' ? 20 : 1, 64 * KiB)
    if (why === 'the peer gives no credit') side.pair.connector.release()
    side.settle()
    const link = side.pair.connector
    const pinned: number[] = []
    const send = link.sendBinary.bind(link)
    link.sendBinary = (head, payload) => {
      if (payload !== undefined && payload.length <= 5) pinned.push(payload.buffer.byteLength)
      send(head, payload)
    }
    // A small piece, and a large one behind it so that they do not share a frame.
    const { response } = side.request(2_000, true)
    response.head(OK, false)
    const first = side.requests[0]?.response
    for (const exchange of why === 'the link is full' ? [first, response] : [first]) {
      exchange?.write(Buffer.alloc(65_536).subarray(7, 12))
      exchange?.write(Buffer.alloc(20_000))
    }
    link.release()
    side.peer.send(windowUpdate(1, 100_000), windowUpdate(1, 100_000))
    side.settle()
    for (const bytes of pinned) expect(bytes).toBeLessThanOrEqual(64)
    expect(pinned.length).toBeGreaterThan(0)
  })
})
