import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { afterEach, describe, expect, it } from 'vitest'
import type { WebSocket } from 'ws'
import { type Connector, type ConnectorOptions, createConnector } from '../../connector/index.js'
import { acceptV1, acceptV3, type Attempt, requestV1, ScriptedRouter } from '../support/scripted-router.js'

const running: AsyncDisposable[] = []

afterEach(async () => {
  for (const one of running.splice(0).reverse()) await one[Symbol.asyncDispose]()
})

/** A connector, its router, and responses that wait for the test. */
async function start(
  onRegister: (attempt: Attempt) => void,
  options: Partial<ConnectorOptions> = {},
): Promise<{ connector: Connector; router: ScriptedRouter; nextRequest: () => Promise<ServerResponse> }> {
  const router = await ScriptedRouter.start(onRegister)
  const arrived: ServerResponse[] = []
  const waiting: ((res: ServerResponse) => void)[] = []
  const connector = await createConnector({
    routers: router.url,
    route: 'shop',
    target: (_req, res) => {
      const taker = waiting.shift()
      if (taker === undefined) arrived.push(res)
      else taker(res)
    },
    window: 1,
    backoffBase: 10,
    backoffMax: 20,
    drainTimeout: 5_000,
    ...options,
  })
  running.push(router, connector)
  await connector.registered
  const nextRequest = (): Promise<ServerResponse> =>
    new Promise((resolve) => {
      const res = arrived.shift()
      if (res === undefined) waiting.push(resolve)
      else resolve(res)
    })
  return { connector, router, nextRequest }
}

describe('close()', () => {
  it('deregisters with the same identity, and closes idle sockets', async () => {
    const { connector, router } = await start(acceptV3)
    const closed = once(router.sockets[0] as WebSocket, 'close') as Promise<[number]>
    await connector.close()
    expect((await closed)[0]).toBe(1001)
    const [deregistration] = router.deregistrations
    expect(deregistration?.path).toBe('/deregister/')
    expect(deregistration?.query.get('connectorInstanceID')).toBe(connector.instanceId)
    expect(deregistration?.req.headers).toMatchObject({ route: 'shop', domain: '*' })
    expect(deregistration?.offered).toEqual([])
    expect(connector.status()).toMatchObject({ state: 'closed', registrations: [] })
  })

  it('lets a running request finish, and resolves only when the router has its last byte', async () => {
    const { connector, router, nextRequest } = await start(acceptV1)
    const answer = requestV1(router.sockets[0] as WebSocket)
    const res = await nextRequest()
    res.write('half, ')
    const closing = connector.close()
    await once(router, 'deregister')
    expect(connector.status().state).toBe('draining')
    res.end('whole')
    await closing
    // Nothing of it is left to happen: what the router has now is all it will ever get.
    expect(await answer).toMatchObject({ body: 'half, whole', code: 1000 })
  })

  it('serves a request that the router had sent before it knew', async () => {
    const { connector, router, nextRequest } = await start(acceptV1)
    let answer: ReturnType<typeof requestV1> | undefined
    router.onDeregister = (attempt) => {
      answer = requestV1(router.sockets[0] as WebSocket)
      attempt.accept().close(1000, 'Deregister complete')
    }
    const closing = connector.close()
    const res = await nextRequest()
    res.end('served')
    await closing
    expect(await answer).toMatchObject({ body: 'served', code: 1000 })
  })

  it('cuts what does not finish within the drain timeout, and says how many', async () => {
    const { connector, router, nextRequest } = await start(acceptV1, { drainTimeout: 100 })
    const answer = requestV1(router.sockets[0] as WebSocket)
    await nextRequest()
    const drained = once(connector, 'drained')
    await connector.close()
    expect(await drained).toEqual([{ cut: 1 }])
    // The Close frame, not a cut connection.
    expect((await answer).code).toBe(1001)
  })

  it('does not hang on a router that answers neither the deregistration nor the barrier', async () => {
    const { connector, router } = await start(acceptV3, { drainTimeout: 100 })
    router.onDeregister = () => {}
    router.sockets[0]?.pause()
    await connector.close()
  })

  it('gives every caller the same promise', async () => {
    const { connector } = await start(acceptV3)
    const closing = connector.close()
    expect(connector.close()).toBe(closing)
    expect(connector[Symbol.asyncDispose]()).toBe(closing)
    await closing
  })

  it('survives listeners that throw', async () => {
    const { connector } = await start(acceptV3)
    connector.on('drained', () => {
      throw new Error('listener')
    })
    await connector.close()
  })
})
