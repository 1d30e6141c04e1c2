import { once } from 'node:events'
import { afterEach, describe, expect, it } from 'vitest'
import { type Connector, type ConnectorOptions, createConnector } from '../../connector/index.js'
import {
  acceptV1,
  acceptV3,
  acceptWithoutSubprotocol,
  type Attempt,
  requestV1,
  ScriptedRouter,
} from '../support/scripted-router.js'

const running: AsyncDisposable[] = []

afterEach(async () => {
  for (const one of running.splice(0).reverse()) await one[Symbol.asyncDispose]()
})

async function router(onRegister: (attempt: Attempt) => void): Promise<ScriptedRouter> {
  const started = await ScriptedRouter.start(onRegister)
  running.push(started)
  return started
}

async function connect(to: { readonly url: string }, options: Partial<ConnectorOptions> = {}): Promise<Connector> {
  const connector = await createConnector({
    routers: to.url,
    route: 'shop',
    target: (_req, res) => res.end('hello'),
    backoffBase: 10,
    backoffMax: 20,
    drainTimeout: 1_000,
    ...options,
  })
  running.push(connector)
  return connector
}

describe('a registration', () => {
  it('says what protocol.md says: path, query, headers, subprotocols in the preferred order', async () => {
    const scripted = await router(acceptV3)
    const connector = await connect(scripted, {
      domain: 'Shop.Example',
      componentName: 'web shop',
      registrationHeaders: { authorization: 'Bearer abc' },
      window: 1,
    })
    await connector.registered
    const [attempt] = scripted.attempts
    expect(attempt?.path).toBe('/register/')
    expect(attempt?.query.get('connectorInstanceID')).toBe(connector.instanceId)
    expect(attempt?.query.get('componentName')).toBe('web shop')
    expect(attempt?.offered).toEqual(['cranker_3.0', 'cranker_1.0'])
    expect(attempt?.req.headers).toMatchObject({
      crankerprotocol: '1.0',
      route: 'shop',
      domain: 'shop.example',
      authorization: 'Bearer abc',
      host: `127.0.0.1:${String(scripted.port)}`,
    })
    expect(attempt?.req.headers['cranker-extensions']).toContain('refuse')
    expect(attempt?.req.headers['sec-websocket-extensions']).toBeUndefined()
    expect(connector.status().registrations[0]).toMatchObject({
      state: 'registered',
      window: 1,
      sockets: [{ version: '3.0', inFlight: 0, accepting: true }],
    })
  })

  it('keeps the path prefix of a router’s URL', async () => {
    const scripted = await router(acceptV3)
    const connector = await connect(scripted, { routers: `${scripted.url}/behind/a/proxy/`, window: 1 })
    await connector.registered
    expect(scripted.attempts[0]?.path).toBe('/behind/a/proxy/register/')
  })

  it('crank4go and crank4j echo no subprotocol: the socket is a 1.0 one, from its first request', async () => {
    const answers: Promise<unknown>[] = []
    const scripted = await router((attempt) => {
      const ws = attempt.accept()
      // At once, as a router does that has let a request wait for this socket.
      if (answers.length === 0) answers.push(requestV1(ws))
    })
    await connect(scripted, { window: 1 })
    await scripted.attempted(2)
    expect(await answers[0]).toMatchObject({ body: 'hello', code: 1000 })
  })

  it('offers subprotocols again to a router without them that failed in between', async () => {
    const scripted = await router(acceptWithoutSubprotocol)
    const connector = await connect(scripted, { window: 1 })
    await connector.registered
    scripted.onRegister = (attempt) => {
      attempt.destroy()
    }
    scripted.sockets.at(-1)?.terminate()
    await once(connector, 'retrying')
    scripted.onRegister = (attempt) => {
      if (attempt.offered.length > 0) acceptV3(attempt)
      else attempt.refuse(400)
    }
    await once(connector, 'registered')
    expect(connector.status().registrations[0]?.sockets[0]?.version).toBe('3.0')
  })

  it('does not fall back to 1.0 when only 3.0 is wanted', async () => {
    const scripted = await router(acceptWithoutSubprotocol)
    const connector = await connect(scripted, { protocols: ['3.0'], window: 1 })
    const [{ error }] = (await once(connector, 'retrying')) as [{ error: Error }]
    expect(error).toMatchObject({ code: 'CRANKER_ERR_REGISTRATION' })
    expect(connector.status().registrations[0]).toMatchObject({ sockets: [], lastError: { message: error.message } })
  })

  it.each([400, 401, 403, 426, 429, 503])('is tried again after a refusal with %d', async (status) => {
    const scripted = await router((attempt) => {
      attempt.refuse(status, {}, 'because')
    })
    const connector = await connect(scripted, { window: 1 })
    const [refused] = (await once(connector, 'refused')) as [{ status: number; error: Error }]
    expect(refused.status).toBe(status)
    expect(refused.error.message).toContain('because')
    scripted.onRegister = acceptV3
    await connector.registered
  })

  it('stays away as long as Retry-After says', async () => {
    const scripted = await router((attempt) => {
      attempt.refuse(503, { 'retry-after': '30' })
    })
    const connector = await connect(scripted, { window: 1 })
    const [{ retryIn }] = (await once(connector, 'retrying')) as [{ retryIn: number }]
    expect(retryIn).toBeGreaterThanOrEqual(29_000)
    expect(retryIn).toBeLessThan(40_000)
  })

  it('waits for a router that comes later, and keeps the process alive meanwhile', async () => {
    const scripted = await router(acceptV3)
    const { port, url } = scripted
    await scripted[Symbol.asyncDispose]()
    running.length = 0
    const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
    const before = timers()
    const connector = await connect({ url }, { window: 1 })
    await once(connector, 'retrying')
    expect(timers()).toBeGreaterThan(before)
    running.push(await ScriptedRouter.start(acceptV3, port))
    await connector.registered
  })

  it('rejects `registered` when it is closed before, without an unhandled rejection', async () => {
    const scripted = await router((attempt) => {
      attempt.refuse(403)
    })
    const connector = await connect(scripted)
    await once(connector, 'refused')
    await connector.close()
    await expect(connector.registered).rejects.toMatchObject({ code: 'CRANKER_ERR_CLOSED' })
  })

  it('is made for every route', async () => {
    const scripted = await router(acceptV3)
    const connector = await connect(scripted, {
      route: undefined as never,
      target: undefined as never,
      routes: [
        { route: 'a', target: (_req, res) => res.end('a') },
        { route: '*', target: (_req, res) => res.end('any'), domain: 'b.example' },
      ],
      window: 1,
    })
    await connector.registered
    const offers = scripted.attempts.map(
      ({ req }) => `${String(req.headers['domain'])} ${String(req.headers['route'])}`,
    )
    expect(offers.sort()).toEqual(['* a', 'b.example *'])
  })
})

describe('a tunnel socket', () => {
  it('is replaced at once when a request takes it (1.0)', async () => {
    const scripted = await router(acceptV1)
    const connector = await connect(scripted, { window: 1, maxWindow: 1 })
    await connector.registered
    for (let i = 0; i < 5; i++) {
      expect(await requestV1(scripted.sockets.at(-1) as never)).toMatchObject({ body: 'hello', code: 1000 })
      await scripted.attempted(i + 2)
    }
  })

  it('is declared dead when the router falls silent, and is opened again', async () => {
    const scripted = await router((attempt) => {
      const ws = attempt.accept({ subprotocol: 'cranker_3.0' })
      // Reads nothing, answers nothing.
      ws.pause()
    })
    const connector = await connect(scripted, { window: 1, pingInterval: 20, deadAfter: 60 })
    await connector.registered
    const [lost] = (await once(connector, 'lost')) as [{ code: number }]
    expect(lost.code).toBe(1006)
    scripted.onRegister = acceptV3
    await once(connector, 'registered')
  })

  it('is not replaced before the time that a goaway names', async () => {
    const scripted = await router((attempt) => {
      attempt.accept({ subprotocol: 'cranker_3.0', extensions: 'goaway' })
    })
    const connector = await connect(scripted, { window: 1 })
    await connector.registered
    const goaway = Buffer.alloc(14)
    goaway.writeUInt8(7, 0)
    scripted.sockets[0]?.send(Buffer.concat([goaway, Buffer.from('60 restarting')]))
    scripted.sockets[0]?.close(1001)
    const [lost] = (await once(connector, 'lost')) as [{ retryIn: number }]
    expect(lost.retryIn).toBeGreaterThan(50_000)
    expect(scripted.attempts).toHaveLength(1)
  })
})
