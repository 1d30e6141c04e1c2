import { describe, expect, it } from 'vitest'
import { type Listed, Roster } from '../../../protocol/roster.js'

interface Named extends Listed {
  readonly name: string
}

const entry = (name: string): Named => ({ name, place: -1 })

function names(roster: Roster<Named>): string[] {
  const found: string[] = []
  roster.forEach((one) => found.push(one.name))
  return found.sort()
}

describe('a roster', () => {
  it('lists what was added and not deleted, whatever the order', () => {
    const roster = new Roster<Named>()
    const [a, b, c, d] = [entry('a'), entry('b'), entry('c'), entry('d')]
    for (const one of [a, b, c]) roster.add(one)
    roster.delete(a)
    roster.add(d)
    roster.delete(d)
    expect(names(roster)).toEqual(['b', 'c'])
    expect(roster.size).toBe(2)
  })

  it('takes an entry once, and an entry that is not listed is no harm to others', () => {
    const roster = new Roster<Named>()
    const [a, b] = [entry('a'), entry('b')]
    roster.add(a)
    roster.add(a)
    roster.delete(b)
    expect(roster.size).toBe(1)
    roster.delete(a)
    roster.delete(a)
    expect(roster.size).toBe(0)
  })

  it('visits every entry although each leaves when it is visited', () => {
    const roster = new Roster<Named>()
    const seen: string[] = []
    for (const name of ['a', 'b', 'c', 'd']) roster.add(entry(name))
    roster.forEach((one) => {
      seen.push(one.name)
      roster.delete(one)
    })
    expect(seen.sort()).toEqual(['a', 'b', 'c', 'd'])
    expect(roster.size).toBe(0)
  })

  it('takes an entry again that had left', () => {
    const roster = new Roster<Named>()
    const a = entry('a')
    roster.add(a)
    roster.delete(a)
    roster.add(a)
    expect(names(roster)).toEqual(['a'])
  })
})
