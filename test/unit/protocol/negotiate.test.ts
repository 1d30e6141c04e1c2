import { describe, expect, it } from 'vitest'
import { answeredVersion, negotiate, offeredSubprotocols } from '../../../protocol/negotiate.js'
import type { ProtocolVersion } from '../../../protocol/session.js'
import { vectors } from '../../support/vectors.js'

interface Negotiation {
  router: {
    name: string
    subprotocols: string | null
    crankerProtocol: string | null
    supported: ProtocolVersion[]
    version: ProtocolVersion | null
    echo: string | null
  }[]
  connector: {
    name: string
    echo: string | null
    crankerProtocol: string | null
    offered: ProtocolVersion[]
    version: ProtocolVersion | null
  }[]
}

const cases = vectors<Negotiation>('negotiation')

describe('negotiation at the router', () => {
  it.each(cases.router)('$name', ({ subprotocols, crankerProtocol, supported, version, echo }) => {
    const result = negotiate({
      subprotocols: subprotocols ?? undefined,
      crankerProtocol: crankerProtocol ?? undefined,
      supported,
    })
    expect(result).toEqual(version === null ? undefined : { version, subprotocol: echo ?? undefined })
  })

  it('never echoes a subprotocol that was not offered', () => {
    for (const { subprotocols, crankerProtocol, supported } of cases.router) {
      const request = {
        subprotocols: subprotocols ?? undefined,
        crankerProtocol: crankerProtocol ?? undefined,
        supported,
      }
      const echo = negotiate(request)?.subprotocol
      if (echo !== undefined) expect(subprotocols?.split(',').map((name) => name.trim())).toContain(echo)
    }
  })
})

describe('negotiation at the connector', () => {
  it('offers in its order of preference', () => {
    expect(offeredSubprotocols(['3.0', '1.0'])).toEqual(['cranker_3.0', 'cranker_1.0'])
  })

  it.each(cases.connector)('$name', ({ echo, crankerProtocol, offered, version }) => {
    const result = answeredVersion({
      subprotocol: echo ?? undefined,
      crankerProtocol: crankerProtocol ?? undefined,
      offered,
    })
    expect(result).toBe(version ?? undefined)
  })
})
