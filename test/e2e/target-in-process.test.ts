import { getRequestListener } from '@hono/node-server'
import express from 'express'
import fastify from 'fastify'
import { Hono } from 'hono'
import { streamSSE } from 'hono/streaming'
import Koa from 'koa'
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import { PassThrough, Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import type { TargetOption } from '../../connector/options.js'
import { CrankerError } from '../../protocol/errors.js'
import { sendBody } from '../support/scripted-exchange.js'
import { makeTarget, request, send } from '../support/target-fixtures.js'

interface App {
  readonly target: TargetOption
  /** Resolves when the application has seen that the client of `/events` left. */
  readonly left: Promise<void>
}

function signal(): { promise: Promise<void>; fire: () => void } {
  let fire = (): void => {}
  const promise = new Promise<void>((resolve) => (fire = resolve))
  return { promise, fire }
}

/** The same small application in every framework: GET /hello, POST /echo, GET /events that never ends by itself. */
const apps: Record<string, () => Promise<App> | App> = {
  'a request listener': () => {
    const left = signal()
    const listener: RequestListener = (req, res) => {
      if (req.url === '/hello') {
        res.setHeader('content-type', 'application/json')
        res.end(JSON.stringify({ hello: 'world' }))
      } else if (req.url === '/echo') {
        res.setHeader('content-type', req.headers['content-type'] ?? '')
        req.pipe(res)
      } else if (req.url === '/events') {
        res.writeHead(200, { 'content-type': 'text/event-stream' })
        res.write('data: 1\n\n')
        res.on('close', left.fire)
      } else {
        res.statusCode = 404
        res.end('not found')
      }
    }
    return { target: listener, left: left.promise }
  },

  Express: () => {
    const left = signal()
    const app = express()
    app.get('/hello', (_req, res) => {
      res.json({ hello: 'world' })
    })
    app.post('/echo', (req, res) => {
      res.type(req.get('content-type') ?? '')
      req.pipe(res)
    })
    app.get('/events', (req, res) => {
      res.type('text/event-stream').write('data: 1\n\n')
      res.on('close', left.fire)
      req.socket.setKeepAlive(true)
      req.socket.setNoDelay(true)
    })
    return { target: app, left: left.promise }
  },

  Koa: () => {
    const left = signal()
    const app = new Koa()
    // Koa logs what a client that leaves does to its stream.
    app.silent = true
    app.use((ctx) => {
      if (ctx.path === '/hello') ctx.body = { hello: 'world' }
      else if (ctx.path === '/echo') {
        ctx.type = ctx.get('content-type')
        ctx.body = ctx.req.pipe(new PassThrough())
      } else if (ctx.path === '/events') {
        const events = new PassThrough()
        events.write('data: 1\n\n')
        ctx.type = 'text/event-stream'
        ctx.body = events
        ctx.res.on('close', left.fire)
      }
    })
    return { target: app.callback() as RequestListener, left: left.promise }
  },

  Fastify: async () => {
    const left = signal()
    const app = fastify()
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', (_request, payload, done) => {
      done(null, payload)
    })
    app.get('/hello', () => ({ hello: 'world' }))
    app.post('/echo', (incoming, reply) =>
      reply.type(incoming.headers['content-type'] ?? '').send((incoming.body as Readable).pipe(new PassThrough())),
    )
    app.get('/events', (_incoming, reply) => {
      const events = new PassThrough()
      events.write('data: 1\n\n')
      reply.raw.on('close', left.fire)
      return reply.type('text/event-stream').send(events)
    })
    await app.ready()
    return { target: app.server, left: left.promise }
  },

  Hono: () => {
    const left = signal()
    const app = new Hono()
    app.get('/hello', (c) => c.json({ hello: 'world' }))
    app.post(
      '/echo',
      (c) => new Response(c.req.raw.body, { headers: { 'content-type': c.req.header('content-type') ?? '' } }),
    )
    app.get('/events', (c) =>
      streamSSE(c, async (stream) => {
        const gone = signal()
        stream.onAbort(() => {
          left.fire()
          gone.fire()
        })
        await stream.writeSSE({ data: '1' })
        await gone.promise
      }),
    )
    return { target: getRequestListener(app.fetch) as RequestListener, left: left.promise }
  },
}

describe.each(Object.keys(apps))('%s in this process', (name) => {
  const make = apps[name] as () => Promise<App> | App

  it('answers a GET', async () => {
    const { exchange } = send(makeTarget((await make()).target), request('GET', '/hello'))
    await exchange.ended()
    expect(exchange.response?.status).toBe(200)
    expect(JSON.parse(exchange.body.toString())).toEqual({ hello: 'world' })
  })

  it('answers a hundred requests one after the other, and fifty at once', async () => {
    const target = makeTarget((await make()).target)
    for (let i = 0; i < 100; i++) {
      const { exchange } = send(target, request('GET', '/hello'))
      await exchange.ended()
      expect(exchange.body.toString()).toBe('{"hello":"world"}')
    }
    const together = Array.from({ length: 50 }, () => send(target, request('GET', '/hello')).exchange)
    for (const exchange of together) {
      await exchange.ended()
      expect(exchange.body.toString()).toBe('{"hello":"world"}')
    }
  })

  it('streams a POST both ways', async () => {
    const { exchange, handler } = send(
      makeTarget((await make()).target),
      request('POST', '/echo', 'Content-Type', 'application/json'),
      false,
    )
    handler?.onData(Buffer.from('{"a":'))
    // Hono sends the head with the second piece; the others as soon as there is one.
    handler?.onData(Buffer.from('[1,2'))
    await exchange.until(() => exchange.bytes === 9)
    handler?.onData(Buffer.from(',3]}'))
    handler?.onEnd(undefined)
    await exchange.ended()
    expect(exchange.error).toBeUndefined()
    expect(JSON.parse(exchange.body.toString())).toEqual({ a: [1, 2, 3] })
    expect(exchange.consumedBytes).toBe(13)
  })

  it('delivers an event when it is written, and shows the application that the client left', async () => {
    const app = await make()
    const { exchange, handler } = send(makeTarget(app.target), request('GET', '/events'))
    await exchange.until(() => exchange.body.toString() === 'data: 1\n\n')
    expect(exchange.over).toBe(false)
    handler?.onError(new CrankerError('CRANKER_ERR_CLIENT_GONE', 'gone'))
    await app.left
  })

  it('answers 404 to what it does not know', async () => {
    const { exchange } = send(makeTarget((await make()).target), request('GET', '/nothing'))
    await exchange.ended()
    expect(exchange.response?.status).toBe(404)
  })
})

describe('an in-process target', () => {
  it('takes an http.Server that never listens', async () => {
    const server = createServer((req, res) => res.end(`${req.method ?? ''} ${req.url ?? ''}`))
    const { exchange } = send(makeTarget(server), request('DELETE', '/x?y=|'))
    await exchange.ended()
    expect(exchange.body.toString()).toBe('DELETE /x?y=|')
    expect(server.listening).toBe(false)
  })

  it('keeps a connection alive, and its parser with it', async () => {
    const sockets = new Set<unknown>()
    const body = Buffer.from('body')
    const target = makeTarget((req: IncomingMessage, res: ServerResponse) => {
      sockets.add(req.socket)
      if (req.url === '/string') res.end('body')
      else if (req.url === '/chunked') res.write(body, () => res.end())
      else res.writeHead(200, { 'content-length': 4 }).end(body)
    })
    for (const path of ['/string', '/chunked', '/sized', '/sized', '/string']) {
      const { exchange } = send(target, request('GET', path))
      await exchange.ended()
      expect(exchange.body.toString()).toBe('body')
    }
    expect(sockets.size).toBe(1)
  })

  it('gives the application an ordinary request over a socket that looks like loopback', async () => {
    let seen: IncomingMessage | undefined
    const target = makeTarget((req: IncomingMessage, res: ServerResponse) => {
      seen = req
      req.socket.setNoDelay(true).setKeepAlive(true).setTimeout(0)
      req.socket.ref().unref()
      res.end()
    })
    const { exchange } = send(target, request('GET', '/', 'X-a', '1', 'x-A', '2'))
    await exchange.ended()
    expect(seen?.rawHeaders).toEqual(['Host', 'public.example', 'X-a', '1', 'x-A', '2'])
    expect(seen?.socket.remoteAddress).toBe('127.0.0.1')
    expect(seen?.socket.address()).toEqual({ address: '127.0.0.1', family: 'IPv4', port: 0 })
  })

  it('keeps what an application throws out of the tunnel', async () => {
    const thrown = new Error('a bug in the application')
    const caught = new Promise((resolve) => {
      const listeners = process.listeners('uncaughtException')
      process.removeAllListeners('uncaughtException')
      process.once('uncaughtException', (error) => {
        for (const listener of listeners) process.on('uncaughtException', listener)
        resolve(error)
      })
    })
    const target = makeTarget(() => {
      throw thrown
    })
    // Returns: the exception does not come up through the caller, which is the tunnel.
    expect(() => send(target, request('GET', '/'))).not.toThrow()
    expect(await caught).toBe(thrown)
  })

  it('does not give the buffers of the application away', async () => {
    const shared = Buffer.from('constant')
    const target = makeTarget((_req: IncomingMessage, res: ServerResponse) => res.end(shared))
    const { exchange } = send(target, request('GET', '/'))
    await exchange.ended()
    // The tunnel may mask in place what it was given.
    for (const call of exchange.calls) if (call.kind === 'end') call.chunk?.fill(0)
    expect(shared.toString()).toBe('constant')
  })

  it('reports a response that the application destroys as failed', async () => {
    const target = makeTarget((_req: IncomingMessage, res: ServerResponse) => {
      res.write('part', () => res.destroy())
    })
    const { exchange } = send(target, request('GET', '/'))
    await exchange.ended()
    expect(exchange.error).toMatchObject({ code: 'CRANKER_ERR_TARGET_FAILED', delivered: 'yes' })
  })

  it('completes a response of a connection that the application closes', async () => {
    let sockets = 0
    const server = createServer((_req, res) => {
      res.writeHead(200, { connection: 'close' })
      res.end('bye')
    })
    server.on('connection', () => sockets++)
    const target = makeTarget(server)
    for (let i = 0; i < 3; i++) {
      const { exchange } = send(target, request('GET', '/'))
      await exchange.ended()
      expect(exchange.error).toBeUndefined()
      expect(exchange.body.toString()).toBe('bye')
    }
    expect(sockets).toBe(3)
  })

  it('answers an early 413 and the whole of the application stays usable', async () => {
    const target = makeTarget((_req: IncomingMessage, res: ServerResponse) => {
      res.writeHead(413, { connection: 'close' })
      res.end('too large')
    })
    for (let i = 0; i < 20; i++) {
      const { exchange, handler } = send(target, request('POST', '/'), false)
      handler?.onData(Buffer.alloc(64 * 1024))
      await exchange.ended()
      expect(exchange.response?.status).toBe(413)
      expect(exchange.body.toString()).toBe('too large')
    }
  })

  it('holds the application back while the tunnel has no room', async () => {
    let produced = 0
    const total = 64 * 1024 * 1024
    const target = makeTarget((_req: IncomingMessage, res: ServerResponse) => {
      Readable.from(
        (function* () {
          for (; produced < total; produced += 64 * 1024) yield Buffer.alloc(64 * 1024)
        })(),
      ).pipe(res)
    })
    const { exchange, handler } = send(target, request('GET', '/'))
    exchange.room = false
    await exchange.until(() => exchange.bytes > 0)
    for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(produced).toBeLessThan(4 * 1024 * 1024)
    exchange.room = true
    handler?.onDrain()
    await exchange.ended()
    expect(exchange.bytes).toBe(total)
  })

  it('holds the tunnel back while the application does not read', async () => {
    let req: IncomingMessage | undefined
    const target = makeTarget((incoming: IncomingMessage, res: ServerResponse) => {
      req = incoming
      incoming.on('end', () => res.end('thanks'))
    })
    const { exchange, handler } = send(target, request('POST', '/', 'Content-Length', String(4 * 1024 * 1024)), false)
    const chunk = Buffer.alloc(64 * 1024)
    let sent = 0
    const pump = (): boolean => {
      while (sent < 4 * 1024 * 1024 && sent - exchange.consumedBytes <= 64 * 1024) {
        sent += chunk.length
        handler?.onData(chunk)
      }
      return sent === 4 * 1024 * 1024
    }
    const pumped = exchange.until(pump)
    for (let turn = 0; turn < 100; turn++) await new Promise((resolve) => setImmediate(resolve))
    expect(sent).toBeLessThan(1024 * 1024)
    req?.resume()
    await pumped
    handler?.onEnd(undefined)
    await exchange.ended()
    expect(exchange.body.toString()).toBe('thanks')
    expect(exchange.consumedBytes).toBe(4 * 1024 * 1024)
  })

  it('gives credit back as fast as the application reads', async () => {
    const target = makeTarget((req: IncomingMessage, res: ServerResponse) => {
      req.resume().on('end', () => res.end('thanks'))
    })
    const { exchange, handler } = send(target, request('POST', '/'), false)
    for (let sent = 0; sent < 16; sent++) {
      handler?.onData(Buffer.alloc(64 * 1024))
      await exchange.until(() => exchange.consumedBytes === (sent + 1) * 64 * 1024)
    }
    handler?.onEnd(undefined)
    await exchange.ended()
    expect(exchange.body.toString()).toBe('thanks')
  })

  it('honours a timeout that the application sets on a response', async () => {
    const target = makeTarget((_req: IncomingMessage, res: ServerResponse) => {
      res.setTimeout(10, () => {
        res.statusCode = 503
        res.end('too slow')
      })
    })
    const { exchange } = send(target, request('GET', '/'))
    await exchange.ended()
    expect(exchange.response?.status).toBe(503)
  })

  it('hands over trailers both ways', async () => {
    const target = makeTarget((req: IncomingMessage, res: ServerResponse) => {
      res.writeHead(200, { trailer: 'x-sum' })
      req.resume().on('end', () => {
        res.addTrailers({ 'x-sum': req.trailers['x-sum'] ?? '' })
        res.end('body')
      })
    })
    const { exchange, handler } = send(target, request('POST', '/'), false)
    handler?.onData(Buffer.from('x'))
    handler?.onEnd(['x-sum', '42'])
    await exchange.ended()
    expect(exchange.trailers).toEqual(['x-sum', '42'])
  })

  it('sends the requests of an abandoned upload to a fresh connection', async () => {
    const sockets = new Set<unknown>()
    const target = makeTarget((req: IncomingMessage, res: ServerResponse) => {
      sockets.add(req.socket)
      res.end('early')
    })
    const first = send(target, request('POST', '/', 'Content-Length', '100'), false)
    await first.exchange.ended()
    const second = send(target, request('POST', '/', 'Content-Length', '2'), false)
    sendBody(second.handler, 'ok')
    await second.exchange.ended()
    expect(second.exchange.body.toString()).toBe('early')
    expect(sockets.size).toBe(2)
  })
})
