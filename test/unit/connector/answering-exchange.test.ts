import { describe, expect, it } from 'vitest'
import { AnsweringExchange } from '../../../connector/answering-exchange.js'
import { CrankerError, type ErrorCode } from '../../../protocol/errors.js'
import { ScriptedExchange } from '../../support/scripted-exchange.js'

function failed(code: ErrorCode, before?: (exchange: AnsweringExchange) => void): ScriptedExchange {
  const inner = new ScriptedExchange()
  const exchange = new AnsweringExchange(inner)
  before?.(exchange)
  exchange.reset(new CrankerError(code, 'for the log only'))
  return inner
}

describe('an exchange with a router that knows no refusal', () => {
  it.each([
    ['CRANKER_ERR_REFUSED', 502],
    ['CRANKER_ERR_TARGET_FAILED', 502],
    ['CRANKER_ERR_BAD_RESPONSE', 502],
    ['CRANKER_ERR_IDLE_TIMEOUT', 504],
  ] as const)('answers %s with %i', (code, status) => {
    expect(failed(code).calls).toEqual([
      { kind: 'head', head: expect.objectContaining({ status, headers: ['Content-Length', '0'] }), end: true },
    ])
  })

  it('leaves it to the router when the request itself is at fault', () => {
    expect(failed('CRANKER_ERR_PEER_REJECTED').calls).toEqual([{ kind: 'reset', error: expect.any(CrankerError) }])
  })

  it('cuts a response that has begun', () => {
    const { calls } = failed('CRANKER_ERR_TARGET_FAILED', (exchange) => {
      exchange.head({ status: 200, reason: 'OK', headers: [] }, false)
    })
    expect(calls.map(({ kind }) => kind)).toEqual(['head', 'reset'])
  })
})
