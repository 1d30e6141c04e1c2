import { describe, expect, it } from 'vitest'
import { Backoff } from '../../../connector/backoff.js'
import { MAX_RETRY_AFTER_MS, retryAfterMs } from '../../../connector/retry-after.js'

describe('backoff', () => {
  it('doubles its ceiling with every failure up to the cap', () => {
    const backoff = new Backoff({ base: 500, max: 10_000, random: () => 1 })
    expect(Array.from({ length: 8 }, () => backoff.next())).toEqual([500, 1000, 2000, 4000, 8000, 10000, 10000, 10000])
  })

  it('spreads delays over the whole range (full jitter)', () => {
    const delays = Array.from({ length: 2_000 }, () => {
      const backoff = new Backoff({ base: 1_000, max: 10_000, random: Math.random })
      return backoff.next()
    })
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(0)
    expect(Math.max(...delays)).toBeLessThanOrEqual(1_000)
    for (let tenth = 0; tenth < 10; tenth++) {
      const inTenth = delays.filter((d) => d >= tenth * 100 && d < (tenth + 1) * 100).length
      expect(inTenth).toBeGreaterThan(100)
    }
  })

  it('stays finite after ever so many failures', () => {
    const backoff = new Backoff({ base: 500, max: 10_000, random: () => 1 })
    for (let i = 0; i < 5_000; i++) expect(backoff.next()).toBeLessThanOrEqual(10_000)
    expect(backoff.failures).toBe(5_000)
  })

  it('starts again after a reset', () => {
    const backoff = new Backoff({ base: 500, max: 10_000, random: () => 1 })
    backoff.next()
    backoff.next()
    backoff.reset()
    expect(backoff.next()).toBe(500)
  })
})

describe('Retry-After', () => {
  it('is read in seconds', () => {
    expect(retryAfterMs(['Retry-After', '7'])).toBe(7_000)
  })

  it('is read as a date that counts from the Date of the response', () => {
    const headers = ['date', 'Sat, 01 Jan 2000 00:00:00 GMT', 'retry-after', 'Sat, 01 Jan 2000 00:00:09 GMT']
    expect(retryAfterMs(headers)).toBe(9_000)
  })

  it('is bounded, and nonsense is no wait', () => {
    expect(retryAfterMs(['retry-after', '99999999999999999999'])).toBe(MAX_RETRY_AFTER_MS)
    for (const value of ['-5', 'soon', '', 'NaN', '1e9', 'Sat, 01 Jan 2000 00:00:09 GMT']) {
      expect(retryAfterMs(['retry-after', value])).toBe(0)
    }
    expect(retryAfterMs([])).toBe(0)
  })
})
