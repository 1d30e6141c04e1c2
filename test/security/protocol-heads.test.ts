import { describe, expect, it } from 'vitest'
import { MAX_HEAD_FIELDS } from '../../protocol/limits.js'
import {
  decodeRequestHead,
  decodeResponseHead,
  encodeRequestHead,
  encodeResponseHead,
} from '../../protocol/head-text.js'
import { filterRequestHeaders } from '../../protocol/hop-by-hop.js'
import { parseExtensions } from '../../protocol/extensions.js'
import { isRouteName, parseRegistration } from '../../protocol/registration.js'
import { decodeRequestText, encodeRequestText } from '../../protocol/v1/request-text.js'

const withCode = (code: string): Error => expect.objectContaining({ code }) as Error
const request = (headers: string[], target = '/'): { method: string; target: string; headers: string[] } => ({
  method: 'POST',
  target,
  headers,
})

describe('attacks by clients on the text of heads', () => {
  it('a newline in a value cannot add a field for the service (request splitting)', () => {
    expect(() => encodeRequestHead(request(['x', 'a\nx-user:admin']))).toThrow(withCode('CRANKER_ERR_BAD_REQUEST'))
  })

  it('a newline in a value cannot end the head early and forge a 1.0 marker', () => {
    expect(() => encodeRequestText(request(['x', 'a\n\n_2']), true)).toThrow(withCode('CRANKER_ERR_BAD_REQUEST'))
  })

  it('a value that looks like a marker is only a value', () => {
    const head = request(['_2', '_1', 'x', '_2'])
    expect(decodeRequestText(encodeRequestText(head, true))).toEqual({ head, hasBody: true })
  })

  it('a bare CR in a value cannot add a field for peers that take it for a line end', () => {
    expect(() => encodeRequestHead(request(['x', 'a\rx-user:admin']))).toThrow(withCode('CRANKER_ERR_BAD_REQUEST'))
  })

  it('a space or a newline in the target cannot forge the rest of the request line', () => {
    for (const target of ['/ HTTP/1.1\nx-user:admin', '/admin HTTP/1.0', '/\r\nx:y']) {
      expect(() => encodeRequestHead(request([], target))).toThrow(withCode('CRANKER_ERR_BAD_REQUEST'))
    }
  })

  it('a code point whose low octet is a newline is not cut down to one', () => {
    expect(() => encodeRequestHead(request(['x', 'a\u010a\u010dx-user:admin']))).toThrow(
      withCode('CRANKER_ERR_BAD_REQUEST'),
    )
  })

  it.each(['Host', 'Content-Length', 'Authorization', 'Cookie', 'X-Forwarded-For', 'Forwarded', 'Via'])(
    'Connection cannot name %s away (hop-by-hop abuse)',
    (name) => {
      expect(filterRequestHeaders([name, 'v', 'Connection', `close, ${name}`])).toEqual([name, 'v'])
    },
  )
})

describe('attacks by connectors on the text of heads', () => {
  it.each(['HTTP/1.1 200 OK\nx:a\rset-cookie:b\n', 'HTTP/1.1 200 OK\rset-cookie:b\n', 'HTTP/1.1 200 OK\nx:\0\n'])(
    'a control cannot split the response: %j',
    (text) => {
      expect(() => decodeResponseHead(text)).toThrow(withCode('CRANKER_ERR_BAD_RESPONSE'))
    },
  )

  it('a code point whose low octet is a newline is not cut down to one', () => {
    const { headers } = decodeResponseHead('HTTP/1.1 200 OK\nx:a\u010a\u010db\n')
    expect(headers).toEqual(['x', 'a\u00c4\u008a\u00c4\u008db'])
  })

  it('a status that node throws on ends the exchange, not the process', () => {
    for (const status of ['99', '000', '1000', '-1', 'NaN', '٢٠٠']) {
      expect(() => decodeResponseHead(`HTTP/1.1 ${status} X\n`)).toThrow(withCode('CRANKER_ERR_BAD_RESPONSE'))
    }
  })

  it('a folded line does not become a field of its own', () => {
    expect(decodeResponseHead('HTTP/1.1 200 OK\nx:a\n set-cookie: b\n\tset-cookie: c\n').headers).toEqual(['x', 'a'])
  })

  it('a head of very many fields is refused', () => {
    const text = `HTTP/1.1 200 OK\n${'a:\n'.repeat(MAX_HEAD_FIELDS + 1)}`
    expect(() => decodeResponseHead(text)).toThrow(withCode('CRANKER_ERR_BAD_RESPONSE'))
    expect(() => decodeRequestHead(text.replace('HTTP/1.1 200 OK', 'GET / HTTP/1.1'))).toThrow(
      withCode('CRANKER_ERR_PROTOCOL'),
    )
  })

  it('a service behind the connector cannot split its response either', () => {
    const head = { status: 200, reason: 'OK\nset-cookie:a', headers: [] }
    expect(() => encodeResponseHead(head)).toThrow(withCode('CRANKER_ERR_BAD_RESPONSE'))
  })
})

describe('attacks by registrations', () => {
  it.each([':anything', '*/admin', 'a/:b', '(.*)', 'a/../b', 'a//b', 'a%2f..', 'a\\b', '/'])(
    'the route %j cannot become a pattern or climb out of its prefix',
    (route) => {
      expect(isRouteName(route)).toBe(false)
    },
  )

  it('a component name cannot forge lines in logs', () => {
    for (const name of ['a%0d%0aERROR', 'a%1b[2J', 'a%E2%80%A8b', 'a%C2%85b']) {
      expect(() => parseRegistration(`/register?componentName=${name}`, [])).toThrow(
        withCode('CRANKER_ERR_REGISTRATION'),
      )
    }
  })

  it('a huge extension list costs a bounded amount of work', () => {
    const names = Array.from({ length: 100_000 }, (_, i) => `x${i}`).join(',')
    expect(parseExtensions(names).size).toBeLessThan(300)
  })
})
