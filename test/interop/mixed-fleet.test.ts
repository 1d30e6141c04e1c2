import { Agent } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Version } from '../support/pair.js'
import { fetchRaw } from '../support/http-client.js'
import type { ConnectorPeer, RunningConnector, RunningRouter } from './peer.js'
import { ac } from './peers/ac.js'
import { c4p } from './peers/c4p.js'
import { jc } from './peers/jc.js'
import { ourConnector, ourRouter } from './peers/ours.js'
import { Service, withBody } from './service.js'
import { PREPARE_LIMIT_MS } from './suite.js'

const REQUESTS = 10_000
const CLIENTS = 32
const LIMIT_MS = 5 * 60_000

const fleet: readonly (readonly [ConnectorPeer, readonly Version[]])[] = [
  [jc, ['3.0']],
  [jc, ['1.0']],
  [c4p, ['1.0']],
  [ac, ['3.0']],
  [ourConnector, ['3.0', '1.0']],
]

describe('connectors of many kinds on one route of our router', () => {
  let router: RunningRouter
  const connectors: RunningConnector[] = []
  /** Whoever serves is known by the service it calls. */
  const services = new Map<string, Service>()
  const missing: string[] = []

  beforeAll(async () => {
    router = await ourRouter.start({})
    for (const [peer, protocols] of fleet) {
      const name = `${peer.name} ${protocols.join(', ')}`
      const reason = await peer.prepare()
      if (reason !== undefined) {
        missing.push(`${name}: ${reason}`)
        continue
      }
      const service = await Service.start()
      service.serve(withBody((_body, res) => res.end(name)))
      services.set(name, service)
      const routers = [`ws://127.0.0.1:${router.registrationPort}`]
      connectors.push(await peer.start({ routers, route: 'fleet', target: service.url, protocols }))
    }
  }, PREPARE_LIMIT_MS)

  afterAll(async () => {
    await Promise.all(connectors.map((connector) => connector.stop()))
    await router.stop()
    await Promise.all([...services.values()].map((service) => service.close()))
  }, LIMIT_MS)

  it(`answers ${REQUESTS} requests, shared by all`, { timeout: LIMIT_MS }, async (context) => {
    const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS })
    const shares = new Map([...services.keys()].map((name) => [name, 0]))
    const get = (path: string) => fetchRaw({ port: router.publicPort, path, agent })
    // Each of them is there when each has answered: until then, ask again.
    const absent = new Set(services.keys())
    while (absent.size > 0) {
      const { status, text } = await get('/fleet/')
      if (status === 200) absent.delete(text)
      else await sleep(25)
    }
    let left = REQUESTS
    const failed: string[] = []
    const client = async (): Promise<void> => {
      while (left > 0) {
        left--
        const { status, text } = await get('/fleet/')
        const share = shares.get(text)
        if (status !== 200 || share === undefined) failed.push(`${status} ${text}`)
        else shares.set(text, share + 1)
      }
    }
    await Promise.all(Array.from({ length: CLIENTS }, client))
    agent.destroy()
    expect(failed).toEqual([])
    const text = [...shares].map(([name, share]) => `${name}: ${share}`).join('; ')
    await context.annotate(text)
    expect(Math.min(...shares.values()), text).toBeGreaterThan(0)
    if (missing.length > 0) context.skip(`without ${missing.join('; ')}; shares: ${text}`)
  })
})
