import { once } from 'node:events'
import type { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { cannedServer, httpServer, makeTarget, rawServer, request, send } from '../support/target-fixtures.js'

const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'

describe('attacks through a request on the target', () => {
  it('a path that looks like a host (//evil.example/x) stays a path on our target', async () => {
    for (const path of ['//evil.example/x', '/\\evil.example/x', '/@evil.example/', '/http://evil.example/']) {
      const { url, got } = await cannedServer(OK)
      const { exchange } = send(makeTarget(url), request('GET', path))
      await exchange.ended()
      expect(got().split('\r\n')[0]).toBe(`GET ${path} HTTP/1.1`)
    }
  })

  it('an absolute-form or authority-form target is refused', () => {
    for (const target of ['http://evil.example/x', 'evil.example:80', '*', '@evil.example/', '']) {
      const { exchange, handler } = send(makeTarget('http://127.0.0.1:1'), request('GET', target))
      expect(handler).toBeUndefined()
      expect(exchange.error).toMatchObject({ code: 'CRANKER_ERR_PEER_REJECTED', delivered: 'no' })
    }
  })

  it('CONNECT and TRACE are refused', () => {
    for (const method of ['CONNECT', 'TRACE']) {
      const { exchange } = send(makeTarget('http://127.0.0.1:1'), request(method, '/'))
      expect(exchange.error).toMatchObject({ code: 'CRANKER_ERR_PEER_REJECTED', delivered: 'no' })
    }
  })

  it.each([
    ['a space in the target', request('GET', '/ HTTP/1.1\r\nX: 1\r\n\r\nGET /evil')],
    ['a line end in the target', request('GET', '/\r\nX: 1')],
    ['a line end in the method', request('GET / HTTP/1.1\r\n', '/')],
    ['a line end in a value', request('GET', '/', 'X', 'a\r\nY: b')],
    ['a bare LF in a value', request('GET', '/', 'X', 'a\nY: b')],
    ['a NUL in a value', request('GET', '/', 'X', 'a\0b')],
    ['more than an octet in a value', request('GET', '/', 'X', '\u010a')],
    ['more than an octet in the target', request('GET', '/\u010d\u010aX:1')],
    ['a line end in a name', request('GET', '/', 'X: a\r\nY', 'b')],
    ['an empty name', request('GET', '/', '', 'b')],
    ['two hosts', request('GET', '/', 'host', 'other.example')],
    ['two content-lengths', request('POST', '/', 'Content-Length', '1', 'content-length', '2')],
    ['a content-length with a sign', request('POST', '/', 'Content-Length', '+1')],
    ['a list of content-lengths', request('POST', '/', 'Content-Length', '1, 1')],
  ])('request smuggling by %s is refused before a byte is sent', async (_name, head) => {
    let bytes = 0
    const url = await rawServer((socket) => socket.on('data', (chunk) => (bytes += chunk.length)))
    const { exchange, handler } = send(makeTarget(url), head, false)
    expect(handler).toBeUndefined()
    expect(exchange.error).toMatchObject({ code: 'CRANKER_ERR_PEER_REJECTED', delivered: 'no' })
    expect(bytes).toBe(0)
  })

  it('request smuggling by a content-length on a request without a body is refused', () => {
    const { exchange } = send(makeTarget('http://127.0.0.1:1'), request('GET', '/', 'Content-Length', '5'), true)
    expect(exchange.error).toMatchObject({ code: 'CRANKER_ERR_PEER_REJECTED' })
  })

  it('request smuggling by a body longer than its content-length puts nothing behind the request', async () => {
    let got = ''
    let closed: Promise<unknown> | undefined
    const url = await rawServer((socket) => {
      closed = once(socket, 'close')
      socket.on('data', (chunk) => (got += chunk.toString('latin1')))
    })
    const { exchange, handler } = send(makeTarget(url), request('POST', '/', 'Content-Length', '2'), false)
    handler?.onData(Buffer.from('ok'))
    handler?.onData(Buffer.from('GET /evil HTTP/1.1\r\nHost: x\r\n\r\n'))
    await exchange.ended()
    await closed
    expect(got).not.toContain('/evil')
  })

  it('request smuggling by Transfer-Encoding: the framing comes from the body that really arrived', async () => {
    const { url, got } = await cannedServer(OK)
    const { exchange, handler } = send(makeTarget(url), request('POST', '/', 'Transfer-Encoding', 'xchunked'), false)
    handler?.onData(Buffer.from('0\r\n\r\nGET /evil HTTP/1.1\r\n\r\n'))
    handler?.onEnd(undefined)
    await exchange.ended()
    expect(got()).toContain('\r\nTransfer-Encoding: chunked\r\n\r\n1b\r\n0\r\n\r\nGET /evil')
    expect(got()).not.toContain('xchunked')
  })

  it('trailers cannot smuggle framing or credentials', async () => {
    let got = ''
    const url = await rawServer((socket) => {
      socket.on('data', (chunk) => {
        got += chunk.toString('latin1')
        if (got.endsWith('\r\n\r\n') && got.includes('\r\n0\r\n')) socket.write(OK)
      })
    })
    const { exchange, handler } = send(makeTarget(url), request('POST', '/'), false)
    handler?.onData(Buffer.from('x'))
    handler?.onEnd([
      'Content-Length',
      '9',
      'Transfer-Encoding',
      'x',
      'Authorization',
      'y',
      'X',
      'a\r\nEvil: 1',
      'Ok',
      '1',
    ])
    await exchange.ended()
    expect(got.slice(got.indexOf('\r\n0\r\n'))).toBe('\r\n0\r\nOk: 1\r\n\r\n')
  })
})

describe('attacks of a target on those who share its connections', () => {
  it('bytes after a response are not taken for the next response', async () => {
    let connections = 0
    const url = await rawServer((socket) => {
      const evil = ++connections === 1
      socket.on('data', () => socket.write(evil ? `${OK}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil` : OK))
    })
    const target = makeTarget(url)
    await send(target, request('GET', '/')).exchange.ended()
    const { exchange } = send(target, request('GET', '/'))
    await exchange.ended()
    expect(exchange.body.toString()).toBe('ok')
    expect(connections).toBe(2)
  })

  it('bytes on an idle connection are not taken for the next response', async () => {
    const sockets: Socket[] = []
    const url = await rawServer((socket) => {
      sockets.push(socket)
      socket.on('data', () => socket.write(OK))
    })
    const target = makeTarget(url)
    await send(target, request('GET', '/')).exchange.ended()
    const [first] = sockets as [Socket]
    const closed = once(first, 'close')
    first.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil')
    await closed
    const { exchange } = send(target, request('GET', '/'))
    await exchange.ended()
    expect(exchange.body.toString()).toBe('ok')
  })

  it('the body of a HEAD, 204 or 304 is not taken for the next response', async () => {
    for (const [method, status] of [
      ['HEAD', 200],
      ['GET', 204],
      ['GET', 304],
    ] as const) {
      let connections = 0
      const url = await rawServer((socket) => {
        const evil = ++connections === 1
        const body = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'
        socket.on('data', () => {
          socket.write(evil ? `HTTP/1.1 ${status} X\r\nContent-Length: ${body.length}\r\n\r\n${body}` : OK)
        })
      })
      const target = makeTarget(url)
      await send(target, request(method, '/')).exchange.ended()
      const { exchange } = send(target, request('GET', '/'))
      await exchange.ended()
      expect(exchange.body.toString()).toBe('ok')
    }
  })

  it('what is left of an unread upload is not taken for the next request', async () => {
    const urls: string[] = []
    const url = await httpServer((req, res) => {
      urls.push(req.url ?? '')
      res.end('early')
    })
    const target = makeTarget(url)
    const first = send(target, request('POST', '/upload', 'Content-Length', '1000'), false)
    await first.exchange.ended()
    const second = send(target, request('GET', '/next'))
    await second.exchange.ended()
    expect(urls).toEqual(['/upload', '/next'])
  })

  it('an endless response head is cut off', async () => {
    const url = await rawServer((socket) => {
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nX: ')
        const more = (): void => {
          while (!socket.destroyed && socket.write('x'.repeat(16 * 1024)));
        }
        socket.on('drain', more)
        more()
      })
    })
    const { exchange } = send(makeTarget(url), request('GET', '/'))
    await exchange.ended()
    expect(exchange.error).toMatchObject({ code: 'CRANKER_ERR_BAD_RESPONSE' })
  })
})
