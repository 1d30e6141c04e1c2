import { describe, expect, it } from 'vitest'
import { knownPeers } from '../../check/like.js'
import { tapReporter } from '../../check/report.js'
import { routerCases } from '../../check/router/cases.js'
import { checkRouter } from '../../check/router/index.js'
import { mu } from '../interop/peers/mu.js'
import { rs } from '../interop/peers/rs.js'

describe.concurrent.each([
  ['mu', mu],
  ['rs', rs],
] as const)('cranker check router --like %s', (like, peer) => {
  it('finds the deviations that are known, and no other', { timeout: 580_000 }, async (context) => {
    const missing = await peer.prepare()
    if (missing !== undefined) context.skip(`${peer.title}: ${missing}`)
    const known = knownPeers[like]
    const running = await peer.start({})
    let report = ''
    const reporter = tapReporter((text) => (report += text))
    try {
      await checkRouter(routerCases, {
        registration: new URL(`ws://127.0.0.1:${String(running.registrationPort)}`),
        public: new URL(`http://127.0.0.1:${String(running.publicPort)}`),
        route: 'check',
        versions: ['3.0', '1.0'],
        like: known,
        timeout: 3_000,
        reporter,
      })
    } finally {
      await running.stop()
    }
    const summary = reporter.end()
    const surprising = report.split(/\n(?=(?:not )?ok )/).filter((point) => /^not ok [^#\n]*\n/.test(`${point}\n`))
    expect(reporter.failed, `${summary}\n${surprising.join('\n')}`).toBe(false)
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
