/** Connectors of different versions on one route: the version decides nothing but the framing. */
import { describe, expect, it } from 'vitest'
import { fetchRaw } from '../support/http-client.js'
import { startPair, versions } from '../support/pair.js'

describe('a mixed fleet', () => {
  it('shares a route’s requests by load, whatever the version', async () => {
    await using pair = await startPair({ version: '3.0', connect: false })
    const seen = new Map<string, number>()
    for (const version of versions) {
      await pair.connect({
        protocols: [version],
        target: (_req, res) => {
          seen.set(version, (seen.get(version) ?? 0) + 1)
          // Only a request that takes a while makes load.
          setTimeout(() => res.end(version), 5)
        },
      })
    }
    const answers = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const statuses: number[] = []
        for (let i = 0; i < 50; i++) statuses.push((await fetchRaw({ port: pair.port })).status)
        return statuses
      }),
    )
    expect(new Set(answers.flat())).toEqual(new Set([200]))
    expect(seen.get('1.0')).toBeGreaterThan(20)
    expect(seen.get('3.0')).toBeGreaterThan(20)
  })

  it('a connector that offers both versions gets the first that the router speaks', async () => {
    await using pair = await startPair({ version: '3.0', connect: false, router: { protocols: ['1.0'] } })
    pair.serve((_req, res) => res.end('ok'))
    await pair.connect({ protocols: ['3.0', '1.0'] })
    expect((await fetchRaw({ port: pair.port })).text).toBe('ok')
    expect(JSON.stringify(pair.router.registrations())).toContain('"protocol":"1.0"')
  })

  it('goes on with one version while the connectors of the other leave', async () => {
    await using pair = await startPair({ version: '3.0' })
    pair.serve((_req, res) => res.end('ok'))
    const old = await pair.connect({ protocols: ['1.0'] })
    const statuses: number[] = []
    const stop = new AbortController()
    const load = (async () => {
      while (!stop.signal.aborted) statuses.push((await fetchRaw({ port: pair.port })).status)
    })()
    await old.close()
    stop.abort()
    await load
    expect(new Set(statuses)).toEqual(new Set([200]))
  })
})
