/** 100 ms between router and connector: what a round trip costs is counted in sockets and bytes, not in time. */
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import { fetchRaw, open } from '../support/http-client.js'
import { type Pair, startPair, type Version, versions } from '../support/pair.js'
import { Relay } from '../support/relay.js'

const KiB = 1024
const MiB = 1024 * KiB

const running: AsyncDisposable[] = []
afterEach(async () => {
  for (const one of running.splice(0).reverse()) await one[Symbol.asyncDispose]()
})

async function farAway(version: Version): Promise<{ pair: Pair; relay: Relay }> {
  const pair = await startPair({
    version,
    connect: false,
    router: { pingInterval: 50 },
    connector: { pingInterval: 50 },
  })
  const relay = await Relay.start({ to: pair.router.address.registration.port, delayMs: 50 })
  running.push(relay, pair)
  await pair.connect({ routers: `ws://127.0.0.1:${String(relay.port)}`, maxWindow: 16 })
  return { pair, relay }
}

describe('100 ms of round trip', () => {
  it('on 1.0: the window grows under demand, and no further than maxWindow', async () => {
    const { pair } = await farAway('1.0')
    const held: ServerResponse[] = []
    pair.serve((_req, res) => {
      held.push(res)
      // Demand that stays: ten at a time, so that sockets are taken faster than a round trip replaces them.
      if (held.length >= 10) for (const each of held.splice(0)) each.end('ok')
    })
    const answers = await Promise.all(Array.from({ length: 60 }, () => fetchRaw({ port: pair.port })))
    expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([200]))
    const window = pair.connector.status().registrations[0]?.window ?? 0
    expect(window).toBeGreaterThan(2)
    expect(window).toBeLessThanOrEqual(16)
  })

  it.each(['down', 'up'] as const)(
    'on 3.0: credit widens itself, so that a transfer %s is not one window per round trip',
    async (way) => {
      const { pair, relay } = await farAway('3.0')
      const SIZE = 12 * MiB
      let underWay = 0
      const look = (): void => void (underWay = Math.max(underWay, relay.held))
      let received = 0
      pair.serve((req, res) => {
        if (way === 'down') return res.end(Buffer.alloc(SIZE))
        req.on('data', (chunk: Buffer) => {
          received += chunk.length
          look()
        })
        req.on('end', () => res.end())
        return undefined
      })
      const { response } = await open({
        port: pair.port,
        ...(way === 'up' ? { method: 'POST', body: Buffer.alloc(SIZE) } : {}),
      })
      response.on('data', (chunk: Buffer) => {
        received += chunk.length
        look()
      })
      await once(response, 'end')
      expect(received).toBe(SIZE)
      // As published, no more than 64 KiB and a frame would ever be under way.
      expect(underWay).toBeGreaterThan(512 * KiB)
    },
  )

  it.each(versions)('on %s: bodies come through whole, both ways at once', async (version) => {
    const { pair } = await farAway(version)
    pair.serve((req, res) => void req.pipe(res))
    const body = Buffer.alloc(2 * MiB, 'abcdefg')
    const answers = await Promise.all(
      Array.from({ length: 3 }, () => fetchRaw({ port: pair.port, method: 'POST', body })),
    )
    for (const answer of answers) expect(answer.body.equals(body)).toBe(true)
  })
})
