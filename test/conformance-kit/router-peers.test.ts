import { describe, expect, it } from 'vitest'
import { knownPeers } from '../../check/like.js'
import { routerCases } from '../../check/router/cases.js'
import { checkRouter } from '../../check/router/index.js'
import type { CheckResult } from '../../check/runner.js'
import { mu } from '../interop/peers/mu.js'
import { rs } from '../interop/peers/rs.js'
import { newsOf } from './run-kit.js'

describe.concurrent.each([
  ['mu', mu],
  ['rs', rs],
] as const)('cranker check router --like %s', (like, peer) => {
  it('finds the deviations that are known, and no other', { timeout: 580_000 }, async (context) => {
    const missing = await peer.prepare()
    if (missing !== undefined) context.skip(`${peer.title}: ${missing}`)
    const known = knownPeers[like]
    const running = await peer.start({})
    let passed = 0
    try {
      const news = await newsOf(async (options) => {
        const results: CheckResult[] = []
        await checkRouter(routerCases, {
          registration: new URL(`ws://127.0.0.1:${String(running.registrationPort)}`),
          public: new URL(`http://127.0.0.1:${String(running.publicPort)}`),
          route: 'check',
          versions: ['3.0', '1.0'],
          like: known,
          reporter: { begin: () => {}, add: (result) => results.push(result), end: () => '', failed: false },
          ...options,
        })
        passed += results.filter(({ outcome }) => outcome === 'pass').length
        return results
      })
      expect(news, news).toBe('')
      expect(passed).toBeGreaterThan(60)
    } finally {
      await running.stop()
    }
  })

  it('knows deviations only in cases that exist', () => {
    const ids = new Set(routerCases.map(({ id }) => id))
    for (const id of Object.keys(knownPeers[like]?.deviations ?? {})) expect(ids).toContain(id.replace(/@.*/, ''))
  })
})

it('every case has an id of its own, and a section', () => {
  const ids = routerCases.map(({ id }) => id)
  expect(new Set(ids).size).toBe(ids.length)
  for (const { id } of routerCases) expect(id).toMatch(/^R\d\.\d+$/)
  expect(routerCases.length).toBeGreaterThan(90)
  for (const { section } of routerCases) expect(section).toMatch(/^\d(?:\.\d)?$/)
})
