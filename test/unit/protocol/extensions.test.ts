import { describe, expect, it } from 'vitest'
import {
  capabilitiesOf,
  formatExtensions,
  NO_CAPABILITIES,
  OUR_EXTENSIONS,
  parseExtensions,
} from '../../../protocol/extensions.js'

const names = (value: string | undefined): string[] => [...parseExtensions(value).keys()]

describe('Cranker-Extensions', () => {
  it('is a list of names', () => {
    expect(formatExtensions()).toBe('trailers, refuse, goaway, informational, raw-target, upgrade')
    expect(names(formatExtensions())).toEqual(OUR_EXTENSIONS)
  })

  it('may have parameters, quoted or not', () => {
    const parsed = parseExtensions('goaway;a=1 ; B = "x, y;\\"z" ;flag, Refuse')
    expect([...parsed.keys()]).toEqual(['goaway', 'refuse'])
    expect([...(parsed.get('goaway') ?? [])]).toEqual([
      ['a', '1'],
      ['b', 'x, y;"z'],
      ['flag', ''],
    ])
  })

  it.each([
    [undefined, []],
    ['', []],
    [' , ,', []],
    ['refuse, no token, goaway', ['refuse', 'goaway']],
    ['refuse;=1, goaway', ['goaway']],
    ['refuse, refuse;x=1', ['refuse']],
    ['"refuse", goaway', ['goaway']],
  ])('reads %j without failing', (value, expected) => {
    expect(names(value)).toEqual(expected)
  })

  it('is read up to a limit', () => {
    expect(names(`${'x,'.repeat(10_000)}refuse`)).toEqual(['x'])
  })
})

describe('capabilities', () => {
  it('are what both sides listed', () => {
    const theirs = parseExtensions('refuse, trailers, future;q=1')
    expect(capabilitiesOf(OUR_EXTENSIONS, theirs, '3.0')).toEqual({ ...NO_CAPABILITIES, refuse: true, trailers: true })
    expect(capabilitiesOf(['trailers'], theirs, '3.0')).toEqual({ ...NO_CAPABILITIES, trailers: true })
  })

  it('are none towards a peer that announced nothing', () => {
    expect(capabilitiesOf(OUR_EXTENSIONS, parseExtensions(undefined), '3.0')).toEqual(NO_CAPABILITIES)
  })

  it('are only those that 1.0 has a way to say', () => {
    const theirs = parseExtensions(formatExtensions())
    expect(capabilitiesOf(OUR_EXTENSIONS, theirs, '1.0')).toEqual({
      ...NO_CAPABILITIES,
      refuse: true,
      informational: true,
      upgrade: true,
      rawTarget: true,
    })
  })
})
