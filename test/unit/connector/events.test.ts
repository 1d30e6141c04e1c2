import { describe, expect, it } from 'vitest'
import { SafeEmitter } from '../../../connector/events.js'
import { silentLogger } from '../../../protocol/logger.js'
import { turn } from './fakes.js'

function emitter(): { emitter: SafeEmitter; complaints: object[] } {
  const complaints: object[] = []
  return { emitter: new SafeEmitter({ ...silentLogger, error: (fields) => complaints.push(fields) }), complaints }
}

describe('events', () => {
  it('catches what a listener throws, and still calls the others', () => {
    const { emitter: events, complaints } = emitter()
    const heard: number[] = []
    events.on('drained', () => {
      throw new Error('listener')
    })
    events.on('drained', ({ cut }) => heard.push(cut))
    expect(events.emit('drained', { cut: 3 })).toBe(true)
    expect(heard).toEqual([3])
    expect(complaints).toHaveLength(1)
  })

  it('catches the rejection of an async listener', async () => {
    const { emitter: events, complaints } = emitter()
    const rejecting = (): Promise<void> => Promise.reject(new Error('async listener'))
    events.on('drained', rejecting)
    events.emit('drained', { cut: 0 })
    await turn()
    expect(complaints).toHaveLength(1)
  })

  it('calls a once listener once', () => {
    const { emitter: events } = emitter()
    let calls = 0
    events.once('drained', () => calls++)
    events.emit('drained', { cut: 0 })
    expect(events.emit('drained', { cut: 0 })).toBe(false)
    expect(calls).toBe(1)
  })
})
