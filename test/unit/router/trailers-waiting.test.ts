/** A gRPC call goes only to a socket that carries trailers, and is in nobody's way while it waits for one. */
import { describe, expect, it } from 'vitest'
import type { CrankerError } from '../../../protocol/errors.js'
import { silentLogger } from '../../../protocol/logger.js'
import type { Capabilities } from '../../../protocol/session.js'
import { Registry } from '../../../router/routing/registry.js'
import type { Need, RegisteredSession } from '../../../router/routing/source.js'
import { FakeClock } from '../../support/fake-clock.js'
import { FakeSession, fakeRegistered } from '../../support/fake-session.js'

function start() {
  const registry = new Registry(
    {
      ...{ connectorWait: 5_000, maxWaiting: 20, maxWaitingPerRoute: 10 },
      ...{ routeKeepTime: 60_000, startGrace: 0, maxRoutes: 10 },
    },
    { clock: new FakeClock(), log: silentLogger },
  )
  const add = (capabilities: Partial<Capabilities>, load = 0) => {
    const session = new FakeSession({ load })
    session.capabilities = capabilities as Capabilities
    const registered = fakeRegistered('a', { session })
    return Object.assign(registered, { pool: registry.add(registered) })
  }
  const wait = (need?: Need) => {
    const outcome: { got?: RegisteredSession; code?: string } = {}
    registry.wait(
      'h',
      '/a',
      {
        onSession: (registered) => (outcome.got = registered),
        onFailed: (error: CrankerError) => (outcome.code = error.code),
      },
      need,
    )
    return outcome
  }
  return { registry, add, wait }
}

const soon = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('a gRPC call', () => {
  it('is never given to a socket without trailers, however idle', () => {
    const { registry, add } = start()
    add({ upgrade: true })
    const able = add({ trailers: true }, 200)
    for (let i = 0; i < 3; i++) expect(registry.take('h', '/a', undefined, 'trailers')).toBe(able)
  })

  it('fails at once where no socket carries trailers, which a WebSocket request does not', async () => {
    const { add, wait } = start()
    add({ upgrade: true }, 256)
    const [call, upgrade] = [wait('trailers'), wait('upgrade')]
    await soon()
    expect([call.code, upgrade.code, upgrade.got]).toEqual(['CRANKER_ERR_NO_TRAILERS', undefined, undefined])
  })

  it('that waits for room holds up neither WebSocket requests nor ordinary ones', async () => {
    const { add, wait } = start()
    const trailers = add({ trailers: true }, 256)
    const upgrades = add({ upgrade: true }, 256)
    const [call, upgrade, ordinary] = [wait('trailers'), wait('upgrade'), wait()]
    await soon()
    upgrades.session.load = 0
    upgrades.pool.changed(upgrades)
    await soon()
    expect([call.got, upgrade.got, ordinary.got]).toEqual([undefined, upgrades, upgrades])
    trailers.session.load = 0
    trailers.pool.changed(trailers)
    await soon()
    expect(call.got).toBe(trailers)
  })
})
