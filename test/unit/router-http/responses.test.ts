import { describe, expect, it } from 'vitest'
import { CrankerError } from '../../../protocol/errors.js'
import { headerValue } from '../../../protocol/head.js'
import { errorAnswer, statusOf } from '../../../router/responses.js'

const answer = (error: CrankerError, accept?: string, viaName = 'cranker'): ReturnType<typeof errorAnswer> =>
  errorAnswer({ error, requestId: 'id-1', headers: accept === undefined ? [] : ['Accept', accept], viaName })

const lost = new CrankerError('CRANKER_ERR_SOCKET_LOST', 'secret 10.0.0.1')

describe('the answer for an error', () => {
  it.each([
    [undefined, 'text/plain; charset=utf-8'],
    ['*/*', 'text/plain; charset=utf-8'],
    ['text/html,application/xhtml+xml,*/*;q=0.8', 'text/html; charset=utf-8'],
    ['application/json', 'application/json'],
    ['text/html;q=0.5, application/json;q=0.9', 'application/json'],
    ['application/json;q=0, text/html;q=0.1', 'text/html; charset=utf-8'],
    ['image/png', 'text/plain; charset=utf-8'],
    [';;;q=,,', 'text/plain; charset=utf-8'],
  ])('to Accept: %s is %s', (accept, type) => {
    const { head, body } = answer(lost, accept)
    expect(headerValue(head.headers, 'content-type')).toBe(type)
    expect(headerValue(head.headers, 'content-length')).toBe(String(body.length))
    expect(body.toString()).toContain('id-1')
    expect(body.toString()).toContain('CRANKER_ERR_SOCKET_LOST')
    expect(body.toString()).not.toContain('secret')
  })

  it('is valid JSON', () => {
    expect(JSON.parse(answer(lost, 'application/json').body.toString())).toEqual({
      status: 502,
      code: 'CRANKER_ERR_SOCKET_LOST',
      message: 'The connection to the service was lost.',
      requestId: 'id-1',
    })
  })

  it('escapes what it says in HTML', () => {
    const error = new CrankerError('CRANKER_ERR_BAD_REQUEST', '<b>&', { initiator: 'caller' })
    expect(answer(error, 'text/html').body.toString()).toContain('&#60;b&#62;&#38;')
  })

  it('tells clients what they did wrong, but never what a peer said', () => {
    const text = 'The Host field is missing.'
    expect(
      answer(new CrankerError('CRANKER_ERR_BAD_REQUEST', text, { initiator: 'caller' })).body.toString(),
    ).toContain(text)
    expect(
      answer(new CrankerError('CRANKER_ERR_BAD_REQUEST', text, { initiator: 'peer' })).body.toString(),
    ).not.toContain(text)
  })

  it('names the router in Proxy-Status, quoted where its name is no token (RFC 9209)', () => {
    expect(headerValue(answer(lost, undefined, '1router').head.headers, 'proxy-status')).toMatch(/^"1router"; error=/)
  })

  it('blames whoever sent the head that is too large', () => {
    expect(statusOf(new CrankerError('CRANKER_ERR_HEAD_TOO_LARGE', '', { initiator: 'caller' }))).toBe(431)
    expect(statusOf(new CrankerError('CRANKER_ERR_HEAD_TOO_LARGE', '', { initiator: 'peer' }))).toBe(502)
  })
})
