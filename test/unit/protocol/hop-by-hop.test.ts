import { describe, expect, it } from 'vitest'
import { FORWARDING_FIELDS, filterRequestHeaders, filterResponseHeaders } from '../../../protocol/hop-by-hop.js'

const HOP_BY_HOP = [
  'Connection',
  'expect',
  'HTTP2-Settings',
  'Keep-Alive',
  'proxy-authenticate',
  'Proxy-Authorization',
  'proxy-connection',
  'TE',
  'Trailer',
  'transfer-encoding',
  'UPGRADE',
]

describe('fields that go on to the next hop', () => {
  it.each(HOP_BY_HOP)('does not forward %s, either way', (name) => {
    const headers = ['a', '1', name, 'x', 'b', '2']
    expect(filterRequestHeaders(headers)).toEqual(['a', '1', 'b', '2'])
    expect(filterResponseHeaders(headers)).toEqual(['a', '1', 'b', '2'])
  })

  it('keeps order, case and duplicates', () => {
    const headers = [
      'X-B',
      '1',
      'x-a',
      '2',
      'X-b',
      '3',
      'Set-Cookie',
      'a',
      'set-cookie',
      'b',
      'Cache-Control',
      'no-cache',
    ]
    expect(filterRequestHeaders(headers)).toEqual(headers)
    expect(filterResponseHeaders(headers)).toEqual(headers)
  })

  it('does not take names of the same length and first letter for the ones it drops', () => {
    const headers = ['upgrades', '1', 'upsmart', '1', 'connectors', '1', 'tx', '1', 'kookie', '1', 'trailed', '1']
    expect(filterRequestHeaders(headers)).toEqual(headers)
    expect(filterResponseHeaders(headers)).toEqual(headers)
  })

  it('takes names of any length and first character', () => {
    const headers = ['x'.repeat(31), '1', 'x'.repeat(32), '1', 'x'.repeat(500), '1', '~', '1', '_a', '1']
    expect(filterRequestHeaders(headers)).toEqual(headers)
  })

  it('drops what Connection names, in either direction, over several fields', () => {
    const headers = [
      'Connection',
      'close, X-Private',
      'x-private',
      '1',
      'connection',
      ' keep-alive ,x-two',
      'X-Two',
      '2',
      'x',
      '3',
    ]
    expect(filterRequestHeaders(headers)).toEqual(['x', '3'])
    expect(filterResponseHeaders(headers)).toEqual(['x', '3'])
  })

  it.each(['Host', 'Content-Length', 'Authorization', 'Cookie', ...FORWARDING_FIELDS])(
    'does not let Connection name %s away',
    (name) => {
      expect(filterRequestHeaders(['connection', name, name, '1'])).toEqual([name, '1'])
      expect(filterResponseHeaders(['connection', name, name, '1'])).toEqual([name, '1'])
    },
  )

  it('keeps what the router wrote about the hop before it, unless told to drop it', () => {
    const headers = [...FORWARDING_FIELDS].flatMap((name) => [name.toUpperCase(), 'x'])
    expect(filterRequestHeaders(headers)).toEqual(headers)
    expect(filterRequestHeaders(['a', '1', ...headers], FORWARDING_FIELDS)).toEqual(['a', '1'])
  })

  it('drops further names that its caller hands in', () => {
    expect(filterRequestHeaders(['Host', 'a', 'x-zebra', '1', 'b', '2'], new Set(['host', 'x-zebra']))).toEqual([
      'b',
      '2',
    ])
  })

  it('joins several cookie fields into one, in the place of the first', () => {
    expect(filterRequestHeaders(['Cookie', 'a=1', 'x', 'y', 'cookie', 'b=2', 'COOKIE', 'c=3'])).toEqual([
      'Cookie',
      'a=1; b=2; c=3',
      'x',
      'y',
    ])
  })

  it('keeps several set-cookie several', () => {
    const headers = ['set-cookie', 'a=1', 'set-cookie', 'b=2']
    expect(filterResponseHeaders(headers)).toEqual(headers)
  })

  it('drops server at the router, keeps it at the connector', () => {
    expect(filterResponseHeaders(['Server', 'nginx', 'a', '1'])).toEqual(['a', '1'])
    expect(filterResponseHeaders(['Server', 'nginx', 'a', '1'], true)).toEqual(['Server', 'nginx', 'a', '1'])
  })
})
