import { describe, expect, it } from 'vitest'
import { data, head, interim, trailers, type Half } from '../../../protocol/v3/stream-state.js'

describe('the state of one direction', () => {
  const states: Half[] = ['head', 'body', 'ended']
  const all = (verb: (half: Half) => Half | undefined): (Half | undefined)[] => states.map(verb)

  it.each([
    ['an interim head', all((s) => interim(s, false)), ['head', undefined, undefined]],
    ['an interim head that ends the stream', all((s) => interim(s, true)), [undefined, undefined, undefined]],
    ['the final head', all((s) => head(s, false)), ['body', undefined, undefined]],
    ['the final head with the end', all((s) => head(s, true)), ['ended', undefined, undefined]],
    ['data', all((s) => data(s, 1, false)), [undefined, 'body', undefined]],
    ['the last data', all((s) => data(s, 1, true)), [undefined, 'ended', undefined]],
    ['an empty end', all((s) => data(s, 0, true)), [undefined, 'ended', 'ended']],
    ['trailers', all((s) => trailers(s, true)), [undefined, 'ended', undefined]],
    ['a second head that is no trailers', all((s) => trailers(s, false)), [undefined, undefined, undefined]],
  ])('takes %s where it is allowed only', (_what, seen, expected) => {
    expect(seen).toEqual(expected)
  })
})
