import { createServer } from 'node:http2'
import { connect } from 'node:http2'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fieldRecord } from '../../../protocol/field-record.js'

describe('field lines as a record', () => {
  it('have lower-case names, one value or several in order', () => {
    expect({ ...fieldRecord(['X-A', '1', 'b', '2', 'x-a', '3', 'X-a', '4']) }).toEqual({
      'x-a': ['1', '3', '4'],
      b: '2',
    })
  })

  it('may have any name, also one that objects have already', () => {
    const fields = fieldRecord(['__proto__', '1', 'constructor', '2', 'toString', '3'])
    expect(Object.entries(fields)).toEqual([
      ['__proto__', '1'],
      ['constructor', '2'],
      ['tostring', '3'],
    ])
  })

  describe('are taken by node, which throws at what it knows to come once', () => {
    const server = createServer((_req, res) => res.end())
    beforeAll(async () => {
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
    })
    afterAll(() => {
      server.close()
    })

    it('whatever is repeated', async () => {
      const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
      // RFC 9110, and what else is registered for requests and responses.
      const names =
        'Accept Accept-Language Access-Control-Allow-Credentials Access-Control-Max-Age Access-Control-Request-Method Age ' +
        'Allow Alt-Svc Authorization Cache-Control Content-Disposition Content-Encoding Content-Language Content-Length ' +
        'Content-Location Content-MD5 Content-Range Content-Security-Policy Content-Type Cookie Date DNT ETag Expires ' +
        'Forwarded From Host If-Match If-Modified-Since If-None-Match If-Range If-Unmodified-Since Last-Modified Link ' +
        'Location Max-Forwards Origin Pragma Prefer Proxy-Authorization Proxy-Status Range Referer Retry-After Server ' +
        'Set-Cookie Strict-Transport-Security Tk Trailer Upgrade-Insecure-Requests User-Agent Vary Via Warning ' +
        'WWW-Authenticate X-Content-Type-Options X-Forwarded-For X-Frame-Options X-XSS-Protection'
      for (const name of names.split(' ')) {
        const fields = fieldRecord([name, '1', name, '2'])
        expect(() => session.request({ ':path': '/', ...fields }).on('error', () => undefined), name).not.toThrow()
      }
      session.destroy()
      await once(session, 'close')
    })
  })
})
