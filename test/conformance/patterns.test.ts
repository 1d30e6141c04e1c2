/** How services are used besides question and answer, over both protocol versions, to both kinds of target. */
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { PassThrough, Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { fetchRaw, open } from '../support/http-client.js'
import { usePair } from '../support/pair.js'
import { RawClient } from '../support/raw-client.js'
import { ways } from '../support/upgrades.js'

const MiB = 1024 * 1024
const sha = (data: Buffer): string => createHash('sha256').update(data).digest('hex')

type Listener = (req: IncomingMessage, res: ServerResponse) => void

describe.each(ways)('over $version, $target target', ({ version, target }) => {
  let listener: Listener = (_req, res) => res.end()
  const serve = (next: Listener): void => {
    listener = next
    if (target === 'URL') pair.serve(next)
  }
  const pair = usePair({ version, ...(target === 'URL' ? {} : { target: (req, res) => listener(req, res) }) })

  it('an event stream arrives event by event, is left, and is taken up again behind the last one', async () => {
    const streams: ServerResponse[] = []
    const opened: (string | undefined)[] = []
    serve((req, res) => {
      opened.push(req.headers['last-event-id'] as string | undefined)
      res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
      res.write(': hello\n\n')
      streams.push(res)
    })
    let last: string | undefined
    for (let visit = 0; visit < 3; visit++) {
      const { request, response } = await open({
        port: pair.port,
        headers: ['Accept', 'text/event-stream', ...(last === undefined ? [] : ['Last-Event-ID', last])],
      })
      expect(response.headers['content-length']).toBeUndefined()
      expect(String((await once(response, 'data'))[0])).toBe(': hello\n\n')
      const stream = streams[visit] as ServerResponse
      for (let i = 0; i < 4; i++) {
        const id = `${String(visit)}.${String(i)}`
        stream.write(`id: ${id}\ndata: ${id}\n\n`)
        expect(String((await once(response, 'data'))[0])).toBe(`id: ${id}\ndata: ${id}\n\n`)
        last = id
      }
      const left = once(stream, 'close')
      response.on('error', () => undefined)
      request.destroy()
      await left
    }
    expect(opened).toEqual([undefined, '0.3', '1.3'])
  })

  it('long polls of twenty clients wait side by side, are answered when something happens, and ask again', async () => {
    const waiting: ServerResponse[] = []
    let complete = (): void => undefined
    serve((_req, res) => {
      waiting.push(res)
      if (waiting.length === 20) complete()
    })
    const clients = await Promise.all(Array.from({ length: 20 }, () => RawClient.connect(pair.port)))
    for (const news of ['first', 'second', 'third']) {
      const everybody = new Promise<void>((resolve) => (complete = resolve))
      for (const client of clients) client.write('GET /poll HTTP/1.1\r\nHost: a\r\n\r\n')
      await everybody
      for (const res of waiting.splice(0)) res.end(news)
      const answers = await Promise.all(clients.map((client) => client.response()))
      expect(new Set(answers.map(({ text }) => text))).toEqual(new Set([news]))
    }
    for (const client of clients) client.leave()
  })

  it('a poller that gives up is given up by the service, too', async () => {
    const polled = new Promise<ServerResponse>((resolve) => serve((_req, res) => resolve(res)))
    const client = await RawClient.connect(pair.port)
    client.write('GET /poll HTTP/1.1\r\nHost: a\r\n\r\n')
    const left = once(await polled, 'close')
    client.leave()
    await left
  })

  it('ranges of a large file: parts, several at once, one that is not there, one of a file that has changed', async () => {
    const file = randomBytes(5 * MiB + 1)
    const etag = `"${sha(file).slice(0, 8)}"`
    serve(serveRanges(file, etag))
    const get = (...headers: string[]) => fetchRaw({ port: pair.port, path: '/file', headers })

    const pieces = [0, 1 * MiB, 3 * MiB + 7, file.length].map((at, i, all) => [at, (all[i + 1] ?? 0) - 1] as const)
    const parts = await Promise.all(
      pieces.slice(0, -1).map(([from, to]) => get('Range', `bytes=${String(from)}-${String(to)}`)),
    )
    expect(parts.map(({ status }) => status)).toEqual([206, 206, 206])
    expect(parts[1]?.field('content-range')).toEqual([
      `bytes ${String(MiB)}-${String(3 * MiB + 6)}/${String(file.length)}`,
    ])
    expect(sha(Buffer.concat(parts.map(({ body }) => body)))).toBe(sha(file))

    const gone = await get('Range', `bytes=${String(file.length)}-`)
    expect([gone.status, gone.field('content-range')]).toEqual([416, [`bytes */${String(file.length)}`]])
    const changed = await get('Range', 'bytes=0-9', 'If-Range', '"other"')
    expect([changed.status, changed.body.length]).toEqual([200, file.length])
    const same = await get('Range', 'bytes=-5', 'If-Range', etag)
    expect([same.status, same.body.equals(file.subarray(-5))]).toEqual([206, true])
  })

  it('a download that breaks off is resumed where it stopped', async () => {
    const file = randomBytes(2 * MiB)
    const ranges = serveRanges(file, '"a"')
    let cut = true
    serve((req, res) => {
      if (!cut) return ranges(req, res)
      cut = false
      res.writeHead(200, { 'content-length': file.length })
      return res.write(file.subarray(0, MiB), () => res.destroy())
    })
    const { response } = await open({ port: pair.port, path: '/file' })
    const chunks: Buffer[] = []
    response.on('data', (chunk: Buffer) => chunks.push(chunk))
    await expect(once(response, 'end')).rejects.toThrow()
    const got = Buffer.concat(chunks)
    expect(got.length).toBeLessThan(file.length)
    const rest = await fetchRaw({ port: pair.port, headers: ['Range', `bytes=${String(got.length)}-`] })
    expect(sha(Buffer.concat([got, rest.body]))).toBe(sha(file))
  })

  it.each([
    ['Content-Length', (n: number) => ['Content-Length', String(n)]],
    ['chunks', () => ['Transfer-Encoding', 'chunked']],
  ] as const)('an upload byte by byte arrives byte by byte (%s)', async (_framing, fields) => {
    const text = 'every single byte'
    let arrived = (_chunk: Buffer): void => undefined
    serve((req, res) => {
      req.on('data', (chunk: Buffer) => arrived(chunk))
      req.on('end', () => res.end('all'))
    })
    const body = new PassThrough()
    const opened = open({ port: pair.port, method: 'POST', headers: fields(text.length), body })
    for (const byte of text) {
      const next = new Promise<Buffer>((resolve) => (arrived = resolve))
      body.write(byte)
      expect((await next).toString()).toBe(byte)
    }
    body.end()
    const { response } = await opened
    expect(String((await once(response, 'data'))[0])).toBe('all')
  })

  it('a response that trickles arrives piece by piece, each before the next is written', async () => {
    const started = new Promise<ServerResponse>((resolve) => {
      serve((_req, res) => {
        res.writeHead(200).flushHeaders()
        resolve(res)
      })
    })
    const { response } = await open({ port: pair.port })
    const res = await started
    for (let i = 0; i < 200; i++) {
      res.write(`${String(i)};`)
      expect(String((await once(response, 'data'))[0])).toBe(`${String(i)};`)
    }
    const ended = once(response, 'end')
    res.end()
    response.resume()
    await ended
  })

  it('a reader that takes a little at a time gets everything', async () => {
    const file = randomBytes(3 * MiB)
    serve((_req, res) => Readable.from(pieces(file, 10_007)).pipe(res))
    const { response } = await open({ port: pair.port })
    const hash = createHash('sha256')
    for await (const chunk of response) {
      hash.update(chunk as Buffer)
      // Everybody else goes first.
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(hash.digest('hex')).toBe(sha(file))
  })
})

function* pieces(data: Buffer, size: number): Iterable<Buffer> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size)
}

/** A service that knows single ranges, and validators. */
function serveRanges(file: Buffer, etag: string): Listener {
  return (req, res) => {
    const size = file.length
    const [, first = '', last = ''] = /^bytes=(\d*)-(\d*)$/.exec(req.headers.range ?? '') ?? []
    const condition = req.headers['if-range']
    if (first + last === '' || (condition !== undefined && condition !== etag)) {
      res.writeHead(200, { etag, 'accept-ranges': 'bytes', 'content-length': size }).end(file)
      return
    }
    const from = first === '' ? size - Number(last) : Number(first)
    const to = first === '' || last === '' ? size - 1 : Number(last)
    if (from >= size) {
      res.writeHead(416, { 'content-range': `bytes */${String(size)}` }).end()
      return
    }
    const range = `bytes ${String(from)}-${String(to)}/${String(size)}`
    res.writeHead(206, { etag, 'content-range': range, 'content-length': to - from + 1 })
    res.end(file.subarray(from, to + 1))
  }
}
