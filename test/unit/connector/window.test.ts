import { describe, expect, it } from 'vitest'
import { SlidingWindow } from '../../../connector/window.js'

describe('sliding window', () => {
  it('stays at its base while a socket is ready whenever one is taken', () => {
    const window = new SlidingWindow(2, 64)
    for (let i = 0; i < 1_000; i++) window.taken(1)
    expect(window.size).toBe(2)
    expect(window.grown).toBe(false)
  })

  it('grows by one whenever the last ready socket is taken, up to its maximum', () => {
    const window = new SlidingWindow(2, 5)
    const sizes = Array.from({ length: 6 }, () => {
      window.taken(0)
      return window.size
    })
    expect(sizes).toEqual([3, 4, 5, 5, 5, 5])
  })

  it('gives half of what stood unused back at every review, and ends at its base', () => {
    const window = new SlidingWindow(2, 64)
    for (let i = 0; i < 62; i++) window.taken(0)
    window.review(64)
    const sizes: number[] = []
    while (window.grown && sizes.length < 20) {
      window.review(window.size)
      sizes.push(window.size)
    }
    expect(sizes).toEqual([32, 16, 8, 4, 2])
  })

  it('does not shrink while demand comes close to its size', () => {
    const window = new SlidingWindow(2, 64)
    for (let i = 0; i < 8; i++) window.taken(0)
    for (let i = 0; i < 10; i++) {
      window.taken(1)
      expect(window.review(10)).toBe(false)
    }
  })

  it('forgets the demand when all sockets are gone', () => {
    const window = new SlidingWindow(2, 64)
    for (let i = 0; i < 8; i++) window.taken(0)
    window.reset()
    expect(window.size).toBe(2)
  })

  it('never has a maximum below its base', () => {
    const window = new SlidingWindow(8, 2)
    window.taken(0)
    expect(window.size).toBe(8)
  })
})
