import { describe, expect, it } from 'vitest'
import { Throttle, throttleKey } from '../../../router/registration/throttle.js'
import { FakeClock } from '../../support/fake-clock.js'

describe('the throttle of refused registrations', () => {
  it('answers a burst at once and holds further refusals back', () => {
    const throttle = new Throttle(new FakeClock())
    const verdicts = Array.from({ length: 25 }, () => throttle.judge('10.0.0.1'))
    expect(verdicts.filter((each) => each === 'answer')).toHaveLength(20)
    expect(verdicts.slice(20)).toEqual(new Array(5).fill('hold'))
    expect(throttle.judge('10.0.0.2')).toBe('answer')
  })

  it('forgives one refusal a second', () => {
    const clock = new FakeClock()
    const throttle = new Throttle(clock)
    for (let i = 0; i < 30; i++) throttle.judge('10.0.0.1')
    clock.advance(2_000)
    expect(['answer', 'answer', 'hold']).toEqual([1, 2, 3].map(() => throttle.judge('10.0.0.1')))
  })

  it('slows a peer that retries 200 times a second down to one attempt a second', () => {
    const clock = new FakeClock()
    const throttle = new Throttle(clock)
    let attempts = 0
    const attempt = (): void => {
      attempts++
      if (throttle.judge('10.0.0.1') === 'hold') throttle.hold(attempt)
      else clock.timer(attempt, 5)
    }
    attempt()
    clock.advance(60_000)
    // 20 at once, and then, of what a second brings, one answered and one held.
    expect(attempts).toBeLessThan(20 + 2 * 60)
  })

  it('holds at most 1,000 sockets; beyond that it cuts', () => {
    const clock = new FakeClock()
    const throttle = new Throttle(clock)
    let done = 0
    const cancels: (() => void)[] = []
    for (let i = 0; i < 1_020; i++) {
      if (throttle.judge('10.0.0.1') === 'hold') cancels.push(throttle.hold(() => done++))
    }
    expect(throttle.judge('10.0.0.1')).toBe('cut')
    cancels[0]?.()
    expect(throttle.judge('10.0.0.1')).toBe('hold')
    clock.advance(1_000)
    expect(done).toBe(999)
    // A peer that leaves after it was answered frees nothing twice.
    for (const cancel of cancels) cancel()
    expect(clock.pending).toBe(0)
  })

  it('remembers a bounded number of addresses', () => {
    const throttle = new Throttle(new FakeClock())
    for (let i = 0; i < 21; i++) throttle.judge('192.0.2.1')
    for (let i = 0; i < 10_000; i++) throttle.judge(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`)
    expect(throttle.judge('192.0.2.1')).toBe('answer')
  })

  it('counts all addresses of an IPv6 /64 as one', () => {
    expect(throttleKey('2001:db8:1:2:aaaa::1')).toBe(throttleKey('2001:0db8:1:2::ffff'))
    expect(throttleKey('2001:db8:1:3::1')).not.toBe(throttleKey('2001:db8:1:2::1'))
    expect(throttleKey('::1')).toBe('0:0:0:0::/64')
    expect(throttleKey('fe80::1%eth0')).toBe('fe80:0:0:0::/64')
    expect(throttleKey('10.0.0.1')).toBe('10.0.0.1')
  })
})
