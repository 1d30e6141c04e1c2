import { describe, expect, it } from 'vitest'
import { isConfusingPath } from '../../../router/inbound/path.js'

describe('a path is confusing', () => {
  it.each([
    ...[
      '/.',
      '/..',
      '/a/..',
      '/a/../b',
      '/./a',
      '/a/.',
      '//',
      '//a',
      '/%2e',
      '/%2E%2e/a',
      '/.%2e',
      '/a%2f..',
      '/a%5C..',
    ],
    ...['/..;', '/..;a=b/c', '/.;/a', '/;/a', '/%2fa', '/%5ca', '/a;x/../b', '/a/%2e%2e%2fb'],
  ])('%s', (path) => {
    expect(isConfusingPath(path)).toBe(true)
  })
})

describe('a path is not confusing', () => {
  it.each([
    ...['/', '/a', '/a/', '/a//b', '/.a', '/a.', '/...', '/..a', '/a..', '/.well-known/x', '/a/.b', '/@scope%2fpkg'],
    ...['/a;v=1/b', '/a;..', '/%252e%252e/a', '/%E2%82%AC', '/%00', '/a/;x', '/;x', '*'],
  ])('%s', (path) => {
    expect(isConfusingPath(path)).toBe(false)
  })
})
