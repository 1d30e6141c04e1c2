import { describe, expect, it, vi } from 'vitest'
import type * as limits from '../../../protocol/limits.js'
import { header, RouterSide } from './harness.js'

/** Nobody waits for a billion requests. */
const RETIRE_AT = vi.hoisted(() => 2)

vi.mock('../../../protocol/limits.js', async (original) => ({
  ...(await original<typeof limits>()),
  V3_RETIRE_ID: RETIRE_AT,
}))

const HEAD = 'HTTP/1.1 200 OK\n'

describe('a 3.0 socket that runs out of request ids', () => {
  it('takes no request after the last id and closes when it is empty', () => {
    const side = new RouterSide()
    const first = side.open()
    expect(side.session.accepting).toBe(true)
    const second = side.open()
    expect(side.session.accepting).toBe(false)
    expect(side.events.changes).toBeGreaterThan(0)
    expect(() => side.open()).toThrowError(expect.objectContaining({ code: 'CRANKER_ERR_CLOSED', delivered: 'no' }))
    side.settle()
    side.peer.send(header(1, 5, HEAD))
    expect([first.ends, side.peer.closeCode]).toEqual([1, undefined])
    side.peer.send(header(RETIRE_AT, 5, HEAD))
    expect([second.ends, side.peer.closeCode]).toEqual([1, 1001])
    expect(side.events.ended).toMatchObject([{ code: 1001, clean: true }])
  })

  it('does so well before ids, which are int32, would turn negative', async () => {
    const { V3_RETIRE_ID } = await vi.importActual<typeof limits>('../../../protocol/limits.js')
    expect(V3_RETIRE_ID).toBeLessThan(2 ** 31 - 2 ** 20)
    expect(V3_RETIRE_ID).toBeGreaterThan(2 ** 20)
  })
})
