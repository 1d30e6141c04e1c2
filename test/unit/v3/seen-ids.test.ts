import { describe, expect, it } from 'vitest'
import { SeenIds } from '../../../protocol/v3/seen-ids.js'
import { random } from './harness.js'

describe('the ids seen on a socket', () => {
  it('are new once each, also when they come out of order', () => {
    const seen = new SeenIds()
    expect([1, 3, 2, 3, 1, 2, 4].map((id) => seen.add(id))).toEqual([true, true, true, false, false, false, true])
    expect(seen.highest).toBe(4)
  })

  it('are never zero, negative, or far below the highest', () => {
    const seen = new SeenIds()
    expect([0, -1, -(2 ** 31)].map((id) => seen.add(id))).toEqual([false, false, false])
    seen.add(2 ** 30)
    expect([1, 2 ** 30 - 5_000, 2 ** 30 - 4_000].map((id) => seen.add(id))).toEqual([false, false, true])
  })

  it('are what a plain set says, within the span', () => {
    const next = random(1)
    const seen = new SeenIds()
    const set = new Set<number>()
    let highest = 0
    for (let i = 0; i < 50_000; i++) {
      const id = Math.max(1, highest + Math.floor(next() * 12) - 5 + (next() < 0.001 ? 6_000 : 0))
      const fresh = !set.has(id) && id > highest - 4_096
      expect(seen.add(id)).toBe(fresh)
      set.add(id)
      highest = Math.max(highest, id)
    }
  })
})
