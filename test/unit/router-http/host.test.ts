import { describe, expect, it } from 'vitest'
import { parseAuthority } from '../../../router/inbound/host.js'

describe('an authority', () => {
  it.each([
    ['Shop.Example', 'shop.example', ''],
    ['shop.example:8080', 'shop.example', '8080'],
    ['shop.example.', 'shop.example', ''],
    ['shop.example.:80', 'shop.example', '80'],
    ['shop.example:', 'shop.example', ''],
    ['a_b~c-d', 'a_b~c-d', ''],
    ['127.0.0.1:1', '127.0.0.1', '1'],
    ['[2001:DB8::1]', '[2001:db8::1]', ''],
    ['[::ffff:192.0.2.1]:443', '[::ffff:192.0.2.1]', '443'],
  ])('%s is read', (text, host, port) => {
    expect(parseAuthority(text)).toEqual({ host, port })
  })

  it.each([
    ...['', '.', '..', '.a', 'a..b', ':80', 'a:b', 'a:65536', 'a:1:2', 'a b', 'a,b', 'a/b', 'a@b', 'a%41', 'a*', 'ä'],
    ...['[', '[]', '[::1', '[::1]x', '[::1]:x', '[::1%25eth0]', '[zz]', 'a'.repeat(256)],
  ])('%j is refused', (text) => {
    expect(parseAuthority(text)).toBeUndefined()
  })
})
