import { describe, expect, it } from 'vitest'
import { CrankerError, type ErrorCode } from '../../../protocol/errors.js'
import { headerValue } from '../../../protocol/head.js'
import { errorAnswer } from '../../../router/responses.js'

const answer = (code: ErrorCode, message = 'secret 10.0.0.1', headers = ['content-type', 'application/grpc+proto']) =>
  errorAnswer({
    error: new CrankerError(code, message, { initiator: 'caller' }),
    requestId: 'id-1',
    headers,
    viaName: 'cranker',
  })

describe('the answer for an error to a gRPC call', () => {
  it.each([
    ['CRANKER_ERR_NO_TRAILERS', '12'],
    ['CRANKER_ERR_NO_ROUTE', '12'],
    ['CRANKER_ERR_NO_SOCKET', '14'],
    ['CRANKER_ERR_BUSY', '14'],
    ['CRANKER_ERR_REFUSED', '14'],
    ['CRANKER_ERR_TARGET_UNREACHABLE', '14'],
    ['CRANKER_ERR_SOCKET_LOST', '14'],
    ['CRANKER_ERR_IDLE_TIMEOUT', '14'],
    ['CRANKER_ERR_CLIENT_TIMEOUT', '4'],
    ['CRANKER_ERR_HEAD_TOO_LARGE', '8'],
    ['CRANKER_ERR_BAD_REQUEST', '13'],
    ['CRANKER_ERR_INTERNAL', '13'],
  ] as const)('%s is 200 with grpc-status %s, and nothing else', (code, status) => {
    const { head, body } = answer(code)
    expect([head.status, headerValue(head.headers, 'grpc-status'), body.length]).toEqual([200, status, 0])
    expect(headerValue(head.headers, 'content-type')).toBe('application/grpc')
    expect(headerValue(head.headers, 'proxy-status')).toContain(code)
  })

  it('says in its message what happened, the code and the request id, and nothing internal', () => {
    const { head } = answer('CRANKER_ERR_SOCKET_LOST')
    expect(headerValue(head.headers, 'grpc-message')).toBe(
      'The connection to the service was lost. (CRANKER_ERR_SOCKET_LOST, request id-1)',
    )
  })

  it('percent-encodes the UTF-8 of its message', () => {
    const { head } = answer('CRANKER_ERR_BAD_REQUEST', '100 % ä\n')
    expect(headerValue(head.headers, 'grpc-message')).toMatch(/^100 %25 %C3%A4%0A \(/)
  })

  it('is an ordinary one for gRPC-Web and everything else', () => {
    for (const type of ['application/grpc-web', 'application/json']) {
      expect(answer('CRANKER_ERR_SOCKET_LOST', '', ['content-type', type]).head.status).toBe(502)
    }
  })
})
