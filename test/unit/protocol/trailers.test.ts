import { describe, expect, it } from 'vitest'
import { announcedTrailers, filterTrailers, isGrpc } from '../../../protocol/trailers.js'

describe('a trailer section', () => {
  it('goes on in order and case, duplicates and 8-bit values included', () => {
    const fields = ['Grpc-Status', '0', 'x', '', 'X', 'caf\xe9\t ', 'grpc-message', '%20']
    expect(filterTrailers(fields)).toEqual(fields)
  })

  it.each([undefined, [], ['host', 'a'], ['odd']])('is none when nothing of it is left (%j)', (fields) => {
    expect(filterTrailers(fields)).toBeUndefined()
  })

  it('loses what is not allowed in one, and nothing else', () => {
    expect(filterTrailers(['a', '1', 'Content-Length', '1', 'b', '2', 'Connection', 'a', 'c', '3'])).toEqual([
      ...['a', '1', 'b', '2', 'c', '3'],
    ])
  })
})

describe('the announcement of a trailer section', () => {
  it('is one list, whatever the lines', () => {
    expect(announcedTrailers(['Trailer', 'a', 'x', 'y', 'trailer', 'b, c'])).toBe('a, b, c')
  })

  it('is none without the field', () => {
    expect(announcedTrailers(['Trailers', 'a', 'trailed', 'b'])).toBeUndefined()
  })
})

describe('a gRPC message', () => {
  it.each(['application/grpc', 'application/grpc+proto', 'Application/GRPC; x=y', 'application/grpc ;x'])(
    'is one of %s',
    (type) => {
      expect(isGrpc(['x', 'y', 'Content-Type', type])).toBe(true)
    },
  )

  it.each(['application/grpc-web', 'application/grpc-web+proto', 'application/grpcx', 'text/plain', ''])(
    'is not one of %s',
    (type) => {
      expect(isGrpc(['content-type', type])).toBe(false)
    },
  )

  it('says so in its first content-type', () => {
    expect([isGrpc(['content-type', 'a', 'content-type', 'application/grpc']), isGrpc([])]).toEqual([false, false])
  })
})
