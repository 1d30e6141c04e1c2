import { describe, expect, it } from 'vitest'
import { parseTarget } from '../../../router/inbound/target.js'

describe('a request target', () => {
  it.each([
    ['/a?b=c', '/a?b=c', '/a', undefined],
    ['/?/../x', '/?/../x', '/', undefined],
    ['/a?b[c]={"d"}|^`<>', '/a?b[c]={"d"}|^`<>', '/a', undefined],
    ['http://h', '/', '/', 'h'],
    ['HTTP://h?q', '/?q', '/', 'h'],
    ['https://h:1/a/b?c', '/a/b?c', '/a/b', 'h:1'],
  ])('%s is read', (raw, target, path, authority) => {
    expect(parseTarget('GET', raw)).toMatchObject({ target, path, authority })
  })

  it('http://host without a path is * for OPTIONS', () => {
    expect(parseTarget('OPTIONS', 'http://h')).toMatchObject({ target: '*', path: '*', authority: 'h' })
    expect(parseTarget('OPTIONS', 'http://h/')).toMatchObject({ target: '/' })
  })

  it.each([
    '',
    'a',
    'h:80',
    '?a',
    'ws://h/',
    'http:///a',
    'http://',
    '*a',
    '/a b',
    '/a#',
    '/\u{E9}',
    '/%',
    '/%4',
    '/%4g',
  ])('%j is refused with a sentence', (raw) => {
    expect(parseTarget('GET', raw)).toBeTypeOf('string')
  })
})
