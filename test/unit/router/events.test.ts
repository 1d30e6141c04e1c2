import { describe, expect, it } from 'vitest'
import { SafeEmitter } from '../../../router/events.js'

function emitter(): { emitter: SafeEmitter; errors: string[] } {
  const errors: string[] = []
  const log = { debug() {}, info() {}, warn() {}, error: (_fields: object, message: string) => errors.push(message) }
  return { emitter: new SafeEmitter(log), errors }
}

describe("the router's events", () => {
  it('survive a listener that throws', () => {
    const { emitter: router, errors } = emitter()
    router.on('closed', () => {
      throw new Error('a bug in a listener')
    })
    router.tell('closed')
    expect(errors).toEqual(['a listener of the router threw'])
  })

  it('survive an async listener that rejects', async () => {
    const { emitter: router, errors } = emitter()
    router.on('draining', () => Promise.reject(new Error('a bug in a listener')) as unknown as undefined)
    router.tell('draining')
    await new Promise((resolve) => setImmediate(resolve))
    expect(errors).toEqual(['a listener of the router rejected'])
  })
})
