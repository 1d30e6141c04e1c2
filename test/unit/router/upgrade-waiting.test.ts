/** A request for an upgrade goes only to a socket that can carry one. */
import { describe, expect, it } from 'vitest'
import { silentLogger } from '../../../protocol/logger.js'
import type { Capabilities } from '../../../protocol/session.js'
import { Registry } from '../../../router/routing/registry.js'
import type { RegisteredSession } from '../../../router/routing/source.js'
import type { CrankerError } from '../../../protocol/errors.js'
import { FakeClock } from '../../support/fake-clock.js'
import { FakeSession, fakeRegistered } from '../../support/fake-session.js'

function start() {
  const clock = new FakeClock()
  const registry = new Registry(
    {
      connectorWait: 5_000,
      maxWaiting: 20,
      maxWaitingPerRoute: 10,
      routeKeepTime: 60_000,
      startGrace: 0,
      maxRoutes: 10,
    },
    { clock, log: silentLogger },
  )
  const add = (upgrade: boolean, load = 0) => {
    const session = new FakeSession({ load })
    session.capabilities = { upgrade } as Capabilities
    const registered = fakeRegistered('a', { session })
    return Object.assign(registered, { pool: registry.add(registered) })
  }
  return { clock, registry, add }
}

class Waiter {
  got: RegisteredSession | undefined
  error: CrankerError | undefined

  constructor(registry: Registry, upgrade: boolean) {
    registry.wait('h', '/a', this, upgrade ? 'upgrade' : undefined)
  }

  onSession(registered: RegisteredSession): void {
    this.got = registered
    if (registered.session instanceof FakeSession) registered.session.load++
  }

  onFailed(error: CrankerError): void {
    this.error = error
  }
}

const soon = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('an upgrade', () => {
  it('is never given to a socket without the extension, however idle', () => {
    const { registry, add } = start()
    add(false)
    const able = add(true, 200)
    for (let i = 0; i < 5; i++) expect(registry.take('h', '/a', undefined, 'upgrade')).toBe(able)
    expect(registry.take('h', '/a')).not.toBe(able)
  })

  it('fails at once where there are sockets but none can carry it, also when they come while it waits', async () => {
    const { registry, add } = start()
    const first = add(false)
    const waiter = new Waiter(registry, true)
    await soon()
    expect(waiter.error?.code).toBe('CRANKER_ERR_NO_UPGRADE')
    registry.remove(first, first.pool)
    const absent = new Waiter(registry, true)
    await soon()
    expect(absent.error).toBeUndefined()
    add(false)
    await soon()
    expect(absent.error?.code).toBe('CRANKER_ERR_NO_UPGRADE')
  })

  it('waits for room on one that can carry it, and nobody else waits behind it', async () => {
    const { registry, add } = start()
    const able = add(true, 256)
    const other = add(false, 256)
    const upgrade = new Waiter(registry, true)
    const ordinary = new Waiter(registry, false)
    await soon()
    expect([upgrade.got, upgrade.error, ordinary.got]).toEqual([undefined, undefined, undefined])
    other.session.load = 0
    other.pool.changed(other)
    await soon()
    expect([upgrade.got, ordinary.got]).toEqual([undefined, other])
    able.session.load = 255
    able.pool.changed(able)
    await soon()
    expect(upgrade.got).toBe(able)
  })

  it('that has waited long enough fails like any other', async () => {
    const { registry, add, clock } = start()
    add(true, 256)
    const waiter = new Waiter(registry, true)
    await soon()
    clock.advance(5_000)
    expect(waiter.error?.code).toBe('CRANKER_ERR_NO_SOCKET')
  })
})
