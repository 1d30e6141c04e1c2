import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { tapReporter } from '../../check/report.js'
import { routerCases } from '../../check/router/cases.js'
import { checkRouter } from '../../check/router/index.js'
import { createRouter, type Router } from '../../router/index.js'
import { BrokenRouter } from './broken-router.js'

const TIMEOUT = 5_000

describe('cranker check router', () => {
  let router: Router

  beforeAll(async () => {
    router = await createRouter({
      host: '127.0.0.1',
      port: 0,
      registrationPort: 0,
      startGrace: 0,
      connectorWait: 1_000,
      pingInterval: 200,
    })
  })

  afterAll(() => router.close())

  it('has nothing to say against our router, recommendations included', { timeout: 240_000 }, async () => {
    let report = ''
    const reporter = tapReporter((text) => (report += text))
    await checkRouter(routerCases, {
      registration: new URL(router.address.registration.url),
      public: new URL(router.address.public.url),
      route: 'check',
      versions: ['3.0', '1.0'],
      strict: true,
      timeout: TIMEOUT,
      reporter,
    })
    const summary = reporter.end()
    expect(reporter.failed, `${summary}\n${report}`).toBe(false)
    expect(summary).toMatch(/^\d+ passed, 0 failed(?:, \d+ skipped)?$/)
  })

  it('finds what a broken router does wrong, and nothing else', { timeout: 120_000 }, async () => {
    const sound = ['R2.1', 'R2.7', 'R6.1', 'R9.15']
    const unsound = [
      ...['R2.6', 'R2.14', 'R3.1', 'R3.2', 'R5.1', 'R5.11', 'R5.22', 'R5.30', 'R8.10'],
      ...['R9.10', 'R9.11', 'R9.13', 'R9.18', 'R9.21'],
    ]
    await using broken = new BrokenRouter()
    let report = ''
    const reporter = tapReporter((text) => (report += text))
    await checkRouter(routerCases, {
      ...(await broken.listen()),
      route: 'check',
      only: [...sound, ...unsound],
      versions: ['3.0'],
      timeout: 1_000,
      reporter,
    })
    const passed = [...report.matchAll(/^ok \d+ - (\S+?)(?:@3\.0)? /gm)].map(([, id]) => id)
    const failed = [...report.matchAll(/^not ok \d+ - (\S+?)(?:@3\.0)? /gm)].map(([, id]) => id)
    expect(passed).toEqual(sound)
    expect(failed).toEqual(unsound)
    expect(reporter.failed).toBe(true)
    // Somebody reads this who has never seen our code: section, expectation, and what was said, decoded.
    const ids = /not ok \d+ - R5\.1@3\.0 [^]*?\n {2}\.\.\./.exec(report)?.[0]
    expect(ids).toContain('section: "docs/protocol.md, section 5.6"')
    expect(ids).toContain('expected: "the request id: 1"')
    expect(ids).toContain('actual: 0')
    expect(ids).toMatch(/→ HEADER #0 END_STREAM\|END_HEADERS \d+ B "GET .* ✗ request ids start at 1/)
  })
})
