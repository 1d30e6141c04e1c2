/** Bodies flow as they come, both ways, with backpressure, whatever the protocol version. */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { PassThrough, Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { fetchRaw, open, readAll } from '../support/http-client.js'
import { usePair, fleets } from '../support/pair.js'

const MiB = 1024 * 1024

function sha(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex')
}

describe.each(fleets)('streaming over %s', (version) => {
  const pair = usePair({ version })

  it('delivers server-sent events one by one, before the response ends', async () => {
    let send: ServerResponse | undefined
    pair.serve((_req, res) => {
      res.writeHead(200, { 'content-type': 'text/event-stream' })
      res.flushHeaders()
      send = res
    })
    const { response } = await open({ port: pair.port })
    for (let i = 0; i < 5; i++) {
      send?.write(`data: ${String(i)}\n\n`)
      const [chunk] = (await once(response, 'data')) as [Buffer]
      expect(chunk.toString()).toBe(`data: ${String(i)}\n\n`)
    }
    send?.end()
    await once(response, 'end')
  })

  it('delivers the head before the body has begun', async () => {
    let finish: (() => void) | undefined
    pair.serve((_req, res) => {
      res.writeHead(200).flushHeaders()
      finish = () => res.end('later')
    })
    const { response } = await open({ port: pair.port })
    expect(response.statusCode).toBe(200)
    finish?.()
    expect((await readAll(response)).toString()).toBe('later')
  })

  it('delivers request bytes as they come: request and response overlap', async () => {
    pair.serve((req, res) => {
      res.writeHead(200)
      req.on('data', (chunk: Buffer) => res.write(chunk.toString().toUpperCase()))
      req.on('end', () => res.end('.'))
    })
    const body = new PassThrough()
    const opened = open({ port: pair.port, method: 'POST', body })
    body.write('a')
    const { response } = await opened
    expect(String((await once(response, 'data'))[0])).toBe('A')
    body.write('b')
    expect(String((await once(response, 'data'))[0])).toBe('B')
    body.end()
    expect((await readAll(response)).toString()).toBe('.')
  })

  it.each([1, 16 * 1024, 65_536, 65_537, 3 * MiB + 17])('carries %i bytes down and up intact', async (size) => {
    const data = randomBytes(size)
    pair.serve((req, res) => {
      if (req.method === 'POST') void readAll(req).then((got) => res.end(sha(got)))
      else res.end(data)
    })
    expect((await fetchRaw({ port: pair.port, method: 'POST', body: data })).text).toBe(sha(data))
    expect(sha((await fetchRaw({ port: pair.port })).body)).toBe(sha(data))
  })

  it('answers that come before the request body was read get through', async () => {
    pair.serve((_req, res) => res.writeHead(413, { connection: 'close' }).end('too much'))
    for (let round = 0; round < 10; round++) {
      const status = await statusOfUpload(pair.port, 4 * MiB)
      expect(status).toBe(413)
    }
  })

  it('a client that reads nothing stops its target, and no other client', async () => {
    let written = 0
    pair.serve((req, res) => {
      if (req.url !== '/endless') {
        res.end('ok')
        return
      }
      const chunk = Buffer.alloc(65_536)
      const more = (): void => {
        while (!res.destroyed && res.write(chunk)) written += chunk.length
        written += chunk.length
      }
      res.on('drain', more)
      more()
    })
    const stalled = connect(pair.port, '127.0.0.1')
    stalled.pause()
    stalled.write('GET /endless HTTP/1.1\r\nHost: a\r\n\r\n')
    // Stalled is when nothing was written during twenty round trips of another client.
    for (let before = -1; before !== written;) {
      before = written
      for (let i = 0; i < 20; i++) expect((await fetchRaw({ port: pair.port, path: '/small' })).text).toBe('ok')
    }
    expect(written).toBeLessThan(64 * MiB)
    stalled.destroy()
  })

  it('a target that reads nothing stops its client, and no other', async () => {
    let held: IncomingMessage | undefined
    pair.serve((req, res) => {
      if (req.url === '/held') held = req.pause()
      else res.end('ok')
    })
    const socket = connect(pair.port, '127.0.0.1')
    socket.on('error', () => undefined)
    socket.write('POST /held HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n')
    const chunk = Buffer.concat([Buffer.from('10000\r\n'), Buffer.alloc(65_536), Buffer.from('\r\n')])
    let sent = 0
    const more = (): void => {
      do sent += chunk.length
      while (socket.write(chunk) && sent < 256 * MiB)
    }
    socket.on('drain', more)
    more()
    for (let before = -1; before !== sent;) {
      before = sent
      for (let i = 0; i < 20; i++) expect((await fetchRaw({ port: pair.port, path: '/small' })).text).toBe('ok')
    }
    expect(sent).toBeLessThan(64 * MiB)
    expect(held).toBeDefined()
    socket.destroy()
  })

  it('carries fifty requests at once', async () => {
    pair.serve((req, res) => {
      void readAll(req).then((body) => res.end(`${String(req.url)} ${sha(body)}`))
    })
    const answers = await Promise.all(
      Array.from({ length: 50 }, async (_, i) => {
        const body = randomBytes(1000 * i + 1)
        const res = await fetchRaw({
          port: pair.port,
          method: 'POST',
          path: `/${String(i)}`,
          body: Readable.from([body]),
        })
        return res.text === `/${String(i)} ${sha(body)}`
      }),
    )
    expect(answers).not.toContain(false)
  })
})

/** Uploads with a raw socket, so that a status that arrives during the upload is seen. */
function statusOfUpload(port: number, size: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    let seen = ''
    socket.on('data', (chunk: Buffer) => {
      seen += chunk.toString('latin1')
      const status = /^HTTP\/1\.1 (\d{3})/.exec(seen)?.[1]
      if (status !== undefined && seen.includes('\r\n\r\n')) {
        socket.destroy()
        resolve(Number(status))
      }
    })
    socket.on('error', reject)
    socket.on('end', () => {
      reject(new Error(`ended after: ${seen}`))
    })
    socket.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${String(size)}\r\n\r\n`)
    socket.write(Buffer.alloc(size))
  })
}
