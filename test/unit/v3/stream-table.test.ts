import { describe, expect, it } from 'vitest'
import { StreamTable } from '../../../protocol/v3/stream-table.js'
import { seeded } from '../../support/random.js'

describe('the table of streams', () => {
  it('finds what was added, by id', () => {
    const table = new StreamTable<{ id: number }>()
    const stream = { id: 7 }
    table.add(stream)
    expect(table.get(7)).toBe(stream)
    expect(table.get(8)).toBeUndefined()
    expect(table.delete(8)).toBe(false)
    expect(table.delete(7)).toBe(true)
    expect(table.get(7)).toBeUndefined()
    expect(table.size).toBe(0)
  })

  it('keeps apart ids that want the same slot, also after one of them has gone', () => {
    const table = new StreamTable<{ id: number }>()
    for (const id of [1, 17, 33, 2, 49]) table.add({ id })
    table.delete(17)
    expect([1, 33, 2, 49].map((id) => table.get(id)?.id)).toEqual([1, 33, 2, 49])
    table.delete(1)
    expect([33, 2, 49].map((id) => table.get(id)?.id)).toEqual([33, 2, 49])
  })

  it('lists its streams by id, and forgets them when it is cleared', () => {
    const table = new StreamTable<{ id: number }>()
    for (const id of [33, 2, 17, 1]) table.add({ id })
    expect(table.list().map((stream) => stream.id)).toEqual([1, 2, 17, 33])
    table.clear()
    expect(table.list()).toEqual([])
    expect(table.size).toBe(0)
  })

  it.each([1, 2, 3])('agrees with a Map over 20,000 random steps (seed %i)', (seed) => {
    const random = seeded(seed)
    const table = new StreamTable<{ id: number }>()
    const map = new Map<number, { id: number }>()
    let next = 1
    for (let step = 0; step < 20_000; step++) {
      if (map.size < 256 && random(2) === 0) {
        // Long-lived streams stay behind while ids count up; now and then a peer leaves a gap.
        const stream = { id: (next += random(10) === 0 ? 1 + random(600) : 1) }
        table.add(stream)
        map.set(stream.id, stream)
      } else if (map.size > 0) {
        const ids = [...map.keys()]
        const id = ids[random(ids.length)] as number
        expect(table.delete(id)).toBe(map.delete(id))
      }
      expect(table.size).toBe(map.size)
    }
    expect(table.list()).toEqual([...map.values()].sort((a, b) => a.id - b.id))
    for (const [id, stream] of map) expect(table.get(id)).toBe(stream)
  })
})
