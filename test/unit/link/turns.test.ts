import { describe, expect, it } from 'vitest'
import { atEndOfTurn, type TurnListener } from '../../../protocol/turns.js'

const round = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

class Listener implements TurnListener {
  turns = 0
  crowded: boolean
  constructor(crowded: boolean) {
    this.crowded = crowded
  }
  endOfTurn(): void {
    this.turns++
  }
}

describe('the end of a turn', () => {
  it('comes in the same round of the event loop for a link with one exchange', async () => {
    const alone = new Listener(false)
    atEndOfTurn(alone)
    expect(alone.turns).toBe(0)
    await round()
    expect(alone.turns).toBe(1)
  })

  it('waits two more rounds when several exchanges run, and no longer', async () => {
    const crowded = new Listener(true)
    atEndOfTurn(crowded)
    await round()
    await round()
    expect(crowded.turns).toBe(0)
    await round()
    expect(crowded.turns).toBe(1)
  })

  it('is not put off by those who join while it waits', async () => {
    const first = new Listener(true)
    atEndOfTurn(first)
    await round()
    const second = new Listener(true)
    atEndOfTurn(second)
    await round()
    await round()
    expect([first.turns, second.turns]).toEqual([1, 1])
  })

  it('comes again for what is added while it runs', async () => {
    const again = new Listener(false)
    let once = true
    again.endOfTurn = () => {
      again.turns++
      if (once) atEndOfTurn(again)
      once = false
    }
    atEndOfTurn(again)
    await round()
    await round()
    expect(again.turns).toBe(2)
  })
})
