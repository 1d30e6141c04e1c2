import { describe, expect, it } from 'vitest'
import {
  commaSeparated,
  count,
  duration,
  durationText,
  header,
  oneOf,
  pemFile,
  port,
  size,
  sizeText,
  UsageError,
} from '../../../cli/values.js'

describe('durations and sizes', () => {
  it.each([
    ['500ms', 500],
    ['5s', 5_000],
    ['1.5s', 1_500],
    ['5m', 300_000],
    ['2h', 7_200_000],
    ['1d', 86_400_000],
    ['0', 0],
  ])('reads the duration %s', (text, expected) => {
    expect(duration(text)).toBe(expected)
  })

  it.each(['5', '-5s', '5 minutes', '5S', 's', '', '1e3s', '99999999999999999d', '5constructor'])(
    'refuses the duration "%s"',
    (text) => {
      expect(() => duration(text)).toThrow(UsageError)
    },
  )

  it.each([
    ['512B', 512],
    ['64KiB', 65_536],
    ['1MiB', 1_048_576],
    ['1GiB', 1_073_741_824],
  ])('reads the size %s', (text, expected) => {
    expect(size(text)).toBe(expected)
  })

  it.each(['64', '64KB', '64k', 'KiB', '64 toString'])('refuses the size "%s"', (text) => {
    expect(() => size(text)).toThrow('such as 64KiB')
  })

  it('writes them as they are read', () => {
    expect([500, 1_500, 5_000, 90_000, 300_000, 7_200_000].map(durationText)).toEqual([
      '500ms',
      '1500ms',
      '5s',
      '90s',
      '5m',
      '2h',
    ])
    expect([1_000, 65_536, 1_048_576].map(sizeText)).toEqual(['1000B', '64KiB', '1MiB'])
  })
})

describe('other values', () => {
  it('takes ports from 0 to 65535', () => {
    expect(port('0')).toBe(0)
    expect(port('65535')).toBe(65_535)
    for (const text of ['65536', '-1', '80a', '', '0x50', '8080.0']) expect(() => port(text)).toThrow(UsageError)
  })

  it('takes whole numbers from the least one', () => {
    expect(count()('1')).toBe(1)
    expect(count(0)('0')).toBe(0)
    expect(() => count()('0')).toThrow('at least 1')
    expect(() => count()('99999999999999999999')).toThrow(UsageError)
  })

  it('names the words it would take', () => {
    expect(oneOf('3.0', '1.0')('1.0')).toBe('1.0')
    expect(() => oneOf('3.0', '1.0')('2.0')).toThrow('expected 3.0 or 1.0')
    expect(() => oneOf('a', 'b', 'c')('d')).toThrow('expected a, b or c')
  })

  it('splits at commas, whatever the spaces', () => {
    expect(commaSeparated(['a, b', 'c', ',d,'])).toEqual(['a', 'b', 'c', 'd'])
  })

  it('leaves colons and commas in a header value', () => {
    expect(header('authorization: Bearer a:b,c')).toEqual(['authorization', 'Bearer a:b,c'])
    expect(header('x-empty:')).toEqual(['x-empty', ''])
    for (const text of ['no-colon', ': x', 'a b: x', 'a: x\r\nb: y']) expect(() => header(text)).toThrow('name:value')
  })

  it('says which file cannot be read, without a stack', () => {
    expect(() => pemFile('/nonexistent.pem')).toThrow('cannot read the file: ENOENT')
    expect(() => pemFile('package.json')).toThrow('no PEM block')
  })
})
