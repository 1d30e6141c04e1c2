import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo, Socket } from 'node:net'
import { WebSocket } from 'ws'
import { afterEach, describe, expect, it } from 'vitest'
import type { Link, LinkHandler } from '../../../protocol/link.js'
import { dial, type DialAnswer, type DialFailure } from '../../../protocol/ws-dial.js'
import { LinkServer } from '../../../protocol/ws-link.js'

type Call = [name: keyof LinkHandler, ...args: unknown[]]

/** Records every call; `next(name)` resolves with the first call of that name, past or to come. */
class Recorder implements LinkHandler {
  readonly calls: Call[] = []
  #waiting: (() => void)[] = []
  turn: (() => void) | undefined

  #add(...call: Call): void {
    this.calls.push(call)
    for (const wake of this.#waiting.splice(0)) wake()
  }
  async next(name: keyof LinkHandler, count = 1): Promise<Call> {
    for (;;) {
      const found = this.calls.filter((c) => c[0] === name)[count - 1]
      if (found !== undefined) return found
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    }
  }
  onText(text: string): void {
    this.#add('onText', text)
  }
  onBinary(data: Buffer): void {
    this.#add('onBinary', Buffer.from(data))
  }
  onPing(payload: Buffer): void {
    this.#add('onPing', payload.toString())
  }
  onPong(payload: Buffer): void {
    this.#add('onPong', payload.toString())
  }
  onTurn(): void {
    this.turn?.()
    this.#add('onTurn')
  }
  onDrain(): void {
    this.#add('onDrain')
  }
  onCloseFrame(code: number, reason: string): void {
    this.#add('onCloseFrame', code, reason)
  }
  onClosed(code: number, reason: string, error: Error | undefined): void {
    this.#add('onClosed', code, reason, error)
  }
}

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
})

interface Listening {
  readonly url: URL
  readonly server: Server
  readonly links: Promise<Link>
}

async function listen(subprotocol?: string): Promise<Listening> {
  const server = createServer()
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => sockets.add(socket))
  const linkServer = new LinkServer({ maxPayload: 1024 * 1024 })
  const links = new Promise<Link>((resolve) => {
    server.on('upgrade', (req, socket, head) => {
      linkServer.accept(req, socket, head, { subprotocol, headers: ['X-Answer', 'yes'] }, (link) => {
        resolve(link)
      })
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { url: new URL(`ws://127.0.0.1:${String((server.address() as AddressInfo).port)}/register/`), server, links }
}

function open(url: URL, subprotocols: readonly string[] = []): Promise<Link> {
  return new Promise((resolve, reject) => {
    dial(
      { url, headers: ['Route', 'a'], subprotocols },
      {
        onOpen: (link) => {
          cleanups.push(() => link.terminate())
          resolve(link)
        },
        onFailed: (failure) => {
          reject(failure.error)
        },
      },
    )
  })
}

async function connected(): Promise<{ server: Link; client: Link; s: Recorder; c: Recorder }> {
  const { url, links } = await listen()
  const client = await open(url)
  const server = await links
  const s = new Recorder()
  const c = new Recorder()
  server.handler = s
  client.handler = c
  return { server, client, s, c }
}

describe('a link over ws', () => {
  it('carries text and binary messages both ways', async () => {
    const { server, client, s, c } = await connected()
    client.sendText('häl')
    client.sendBinary(Buffer.from([1, 2]), Buffer.alloc(70_000, 7))
    server.sendBinary(Buffer.from('x'))
    expect((await s.next('onText'))[1]).toBe('häl')
    expect((await s.next('onBinary'))[1]).toEqual(Buffer.concat([Buffer.from([1, 2]), Buffer.alloc(70_000, 7)]))
    expect((await c.next('onBinary'))[1]).toEqual(Buffer.from('x'))
  })

  it('answers pings by itself, with their payload and in order', async () => {
    const { client, c, s } = await connected()
    client.ping(Buffer.from('1'))
    client.ping(Buffer.from('2'))
    await c.next('onPong', 2)
    expect(c.calls.filter((call) => call[0] === 'onPong').map((call) => call[1])).toEqual(['1', '2'])
    expect(s.calls.filter((call) => call[0] === 'onPing')).toHaveLength(2)
  })

  it('calls onTurn once for any number of requests, and sends what it adds in the same batch', async () => {
    const { client, c, s } = await connected()
    c.turn = () => client.sendText('from the turn')
    client.requestTurn()
    client.requestTurn()
    expect((await s.next('onText'))[1]).toBe('from the turn')
    expect(c.calls.filter((call) => call[0] === 'onTurn')).toHaveLength(1)
  })

  it('tells of the Close frame as soon as it comes, also when the peer never closes TCP', async () => {
    const { url, links } = await listen()
    const ws = new WebSocket(url)
    await once(ws, 'open')
    const server = await links
    const s = new Recorder()
    server.handler = s
    // The peer reads nothing more, so it never sees our answer and never closes TCP.
    ws.pause()
    ws.close(1000)
    expect((await s.next('onCloseFrame')).slice(1)).toEqual([1000, ''])
    expect(s.calls.some((call) => call[0] === 'onClosed')).toBe(false)
    ws.terminate()
  })

  it('reports a Close frame without a code as 1005', async () => {
    const { url, links } = await listen()
    const ws = new WebSocket(url)
    await once(ws, 'open')
    const s = new Recorder()
    ;(await links).handler = s
    ws.close()
    expect((await s.next('onCloseFrame'))[1]).toBe(1005)
    await s.next('onClosed')
  })

  it('sends what is queued before its own Close frame, and ends the connection', async () => {
    const { server, client, s, c } = await connected()
    client.sendBinary(Buffer.alloc(200_000, 1))
    client.close(1001, 'Going away')
    client.sendText('too late')
    expect((await s.next('onBinary'))[1]).toHaveLength(200_000)
    expect((await s.next('onCloseFrame')).slice(1)).toEqual([1001, 'Going away'])
    await Promise.all([s.next('onClosed'), c.next('onClosed')])
    expect(s.calls.some((call) => call[0] === 'onText')).toBe(false)
    expect([server.open, client.open]).toEqual([false, false])
  })

  it('reports a lost connection as 1006 without a Close frame', async () => {
    const { client, s, c } = await connected()
    client.terminate()
    expect((await s.next('onClosed'))[1]).toBe(1006)
    expect((await c.next('onClosed'))[1]).toBe(1006)
    expect(s.calls.some((call) => call[0] === 'onCloseFrame')).toBe(false)
  })

  it('a broken frame ends the link at once, and is no Close frame', async () => {
    const { url, links } = await listen()
    const { connect } = await import('node:net')
    const raw = connect(Number(url.port), '127.0.0.1')
    raw.write(
      'GET /register/ HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
        'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
    )
    const s = new Recorder()
    ;(await links).handler = s
    raw.write(Buffer.from([0xff, 0xff, 0xff, 0xff]))
    const closed = await s.next('onClosed')
    expect(closed[3]).toBeInstanceOf(Error)
    // The connection itself still runs its closing handshake.
    expect(raw.destroyed).toBe(false)
    expect(s.calls.some((call) => call[0] === 'onCloseFrame')).toBe(false)
    raw.destroy()
  })

  it('a handler that throws costs the link, not the process', async () => {
    const { client, s, c } = await connected()
    s.onText = () => {
      throw new Error('a bug')
    }
    client.sendText('x')
    expect(((await s.next('onClosed'))[3] as Error).message).toBe('a bug')
    await c.next('onClosed')
  })

  it('stops reading while paused, and goes on where it was', async () => {
    const { server, client, s } = await connected()
    server.pause()
    client.sendText('while paused')
    expect(server.paused).toBe(true)
    await new Promise((resolve) => setImmediate(resolve))
    expect(s.calls).toHaveLength(0)
    server.resume()
    expect((await s.next('onText'))[1]).toBe('while paused')
  })

  it('says when there is room again after its queue was full', async () => {
    const { server, client, s } = await connected()
    client.pause()
    const bytes = 32 * 1024 * 1024
    for (let sent = 0; sent < bytes; sent += 65_536) server.sendBinary(Buffer.alloc(65_536))
    await new Promise((resolve) => setImmediate(resolve))
    expect(server.queued).toBeGreaterThan(1024 * 1024)
    client.resume()
    await s.next('onDrain')
    expect(server.queued).toBe(0)
  })
})

describe('dialling', () => {
  it('hands over the chosen subprotocol and the answer’s fields', async () => {
    const { url } = await listen('cranker_3.0')
    const answer = await new Promise<{ subprotocol: string | undefined; headers: readonly string[] }>(
      (resolve, reject) => {
        dial(
          { url, headers: [], subprotocols: ['cranker_3.0', 'cranker_1.0'] },
          {
            onOpen: (link, got) => {
              link.terminate()
              resolve(got)
            },
            onFailed: (failure) => {
              reject(failure.error)
            },
          },
        )
      },
    )
    expect(answer.subprotocol).toBe('cranker_3.0')
    expect(answer.headers).toContain('X-Answer')
  })

  const failure = (url: URL, subprotocols: readonly string[] = [], handshakeTimeout?: number): Promise<DialFailure> =>
    new Promise((resolve, reject) => {
      dial(
        { url, headers: [], subprotocols, handshakeTimeout },
        {
          onOpen: () => {
            reject(new Error('opened'))
          },
          onFailed: resolve,
        },
      )
    })

  it('takes an answer without a subprotocol, although some were offered', async () => {
    const { url } = await listen(undefined)
    const answer = await new Promise<DialAnswer>((resolve, reject) => {
      dial(
        { url, headers: [], subprotocols: ['cranker_3.0'] },
        {
          onOpen: (link, given) => {
            link.terminate()
            resolve(given)
          },
          onFailed: ({ error }) => {
            reject(error)
          },
        },
      )
    })
    expect(answer.subprotocol).toBeUndefined()
  })

  it('a refusal has its status, its fields and the start of its text', async () => {
    const server = createServer((_req, res) => res.writeHead(503, { 'retry-after': '3' }).end('draining'))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    cleanups.push(() => server.close())
    const got = await failure(new URL(`ws://127.0.0.1:${String((server.address() as AddressInfo).port)}/register/`))
    expect(got).toMatchObject({ status: 503 })
    expect(got.headers.map((h) => h.toLowerCase())).toContain('retry-after')
    expect(got.error.message).toContain('draining')
    expect(got.error.code).toBe('CRANKER_ERR_REGISTRATION')
  })

  it('a refused connection fails with a clear error', async () => {
    const { url, server } = await listen()
    server.close()
    await once(server, 'close')
    expect((await failure(url)).error.message).toMatch(/ECONNREFUSED/)
  })

  it('a router that never answers is given up', async () => {
    const { createServer: createTcp } = await import('node:net')
    const sockets: Socket[] = []
    const mute = createTcp((socket) => sockets.push(socket)).listen(0, '127.0.0.1')
    await once(mute, 'listening')
    cleanups.push(() => {
      for (const socket of sockets) socket.destroy()
      mute.close()
    })
    const url = new URL(`ws://127.0.0.1:${String((mute.address() as AddressInfo).port)}/register/`)
    expect((await failure(url, [], 50)).error.message).toMatch(/in time/)
  })
})
