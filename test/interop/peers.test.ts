/** The foreign peers themselves: each can be had, starts, serves something together with ours, and stops. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Version } from '../support/pair.js'
import type { ConnectorPeer, RouterPeer } from './peer.js'
import { PREPARE_LIMIT_MS } from './suite.js'
import { foreignConnectors, foreignRouters, ourConnector, ourRouter } from './peers/index.js'

/** A process to start, a registration, a stop. */
const PAIR_MS = 120_000
const REGISTERED_MS = 30_000
const POLL_MS = 50

let service: Server
let target: string

beforeAll(async () => {
  service = createServer((req, res) => {
    res.end(`served ${String(req.url)}`)
  })
  service.listen(0, '127.0.0.1')
  await once(service, 'listening')
  target = `http://127.0.0.1:${String((service.address() as AddressInfo).port)}`
})

afterAll(() => {
  service.closeAllConnections()
  service.close()
})

async function refused(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  return new Promise((resolve) => {
    socket.on('connect', () => {
      socket.destroy()
      resolve(false)
    })
    socket.on('error', () => {
      resolve(true)
    })
  })
}

/** What a route answers once its connector is registered. Foreign routers do not wait for one on 3.0. */
async function served(port: number, output: () => string): Promise<string> {
  const start = Date.now()
  for (;;) {
    const response = await fetch(`http://127.0.0.1:${String(port)}/interop/hello?a=1`)
    const text = await response.text()
    if (response.status === 200) return text
    if (Date.now() - start > REGISTERED_MS) throw new Error(`last answer: ${response.status} ${text}\n${output()}`)
    await new Promise((resolve) => setTimeout(resolve, POLL_MS))
  }
}

async function servesTogether(routerPeer: RouterPeer, connectorPeer: ConnectorPeer, version: Version): Promise<void> {
  const router = await routerPeer.start({ connectorWait: 100 })
  try {
    const connector = await connectorPeer.start({
      routers: [`ws://127.0.0.1:${String(router.registrationPort)}`],
      route: 'interop',
      target,
      protocols: [version],
    })
    try {
      const output = () => `${routerPeer.name}: ${router.output()}\n${connectorPeer.name}: ${connector.output()}`
      expect(await served(router.publicPort, output)).toBe('served /interop/hello?a=1')
    } finally {
      await connector.stop()
    }
    const after = await fetch(`http://127.0.0.1:${String(router.publicPort)}/interop/hello`)
    expect(after.status).toBeGreaterThanOrEqual(400)
    await after.arrayBuffer()
  } finally {
    await router.stop()
  }
  expect(await refused(router.publicPort)).toBe(true)
  expect(await refused(router.registrationPort)).toBe(true)
}

describe.each(foreignRouters)('$name with our connector', (router) => {
  let missing: string | undefined
  beforeAll(async () => {
    missing = await router.prepare()
  }, PREPARE_LIMIT_MS)

  it.for(router.versions)('serves a request over %s, and stops', { timeout: PAIR_MS }, async (version, { skip }) => {
    if (missing !== undefined) skip(missing)
    await servesTogether(router, ourConnector, version)
  })
})

describe.each(foreignConnectors)('$name with our router', (connector) => {
  let missing: string | undefined
  beforeAll(async () => {
    missing = await connector.prepare()
  }, PREPARE_LIMIT_MS)

  it.for(connector.versions)('serves a request over %s, and stops', { timeout: PAIR_MS }, async (version, { skip }) => {
    if (missing !== undefined) skip(missing)
    await servesTogether(ourRouter, connector, version)
  })
})
