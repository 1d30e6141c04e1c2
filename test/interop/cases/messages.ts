/** One request and one response. */
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { expect } from 'vitest'
import { fetchRaw } from '../../support/http-client.js'
import { withBody } from '../service.js'
import type { Case } from './case.js'

export const messages = {
  get: {
    name: 'GET',
    async run(d) {
      d.serve((req, res) => res.end(`${String(req.method)} ${String(req.url)}`))
      const res = await d.fetch({ path: '/a/b' })
      expect([res.status, res.text]).toEqual([200, 'GET /app/a/b'])
    },
  },
  postFixed: {
    name: 'POST with a length',
    async run(d) {
      d.serve(withBody((body, res) => res.end(`got ${body}`)))
      const res = await d.fetch({ method: 'POST', body: 'some bytes' })
      expect([res.status, res.text]).toEqual([200, 'got some bytes'])
    },
  },
  postChunked: {
    name: 'POST in chunks',
    async run(d) {
      d.serve(withBody((body, res) => res.end(`got ${body}`)))
      const body = Readable.from([Buffer.from('some '), Buffer.from('bytes')])
      const res = await d.fetch({ method: 'POST', body })
      expect([res.status, res.text]).toEqual([200, 'got some bytes'])
    },
  },
  head: {
    name: 'HEAD, with the length that GET has',
    async run(d) {
      d.serve((_req, res) => res.writeHead(200, { 'content-length': '1234', 'x-one': '1' }).end())
      const res = await d.fetch({ method: 'HEAD' })
      expect([res.status, res.field('content-length'), res.field('x-one')]).toEqual([200, ['1234'], ['1']])
    },
  },
  bodyless: {
    name: '204 and 304',
    async run(d) {
      d.serve((req, res) => res.writeHead(Number(req.url?.slice(-3)), { etag: '"a"' }).end())
      for (const status of [204, 304]) {
        const res = await d.fetch({ path: `/${status}` })
        expect([res.status, res.body.length, res.field('etag')]).toEqual([status, 0, ['"a"']])
      }
    },
  },
  status: {
    name: 'unusual status codes (299, 418, 599)',
    async run(d) {
      d.serve((req, res) => res.writeHead(Number(req.url?.slice(-3)), 'Odd').end('x'))
      for (const status of [299, 418, 599]) {
        const res = await d.fetch({ path: `/${status}` })
        expect([res.status, res.text]).toEqual([status, 'x'])
      }
    },
  },
  gzip: {
    name: 'gzip untouched',
    async run(d) {
      const zipped = gzipSync('squeezed '.repeat(5_000))
      d.serve((req, res) => {
        res.writeHead(200, { 'content-encoding': 'gzip', 'x-seen': req.headers['accept-encoding'] ?? 'none' })
        res.end(zipped)
      })
      const res = await d.fetch({ headers: ['Accept-Encoding', 'gzip'] })
      expect([res.status, res.field('content-encoding'), res.field('x-seen')]).toEqual([200, ['gzip'], ['gzip']])
      expect(res.body.equals(zipped)).toBe(true)
    },
  },
  cookies: {
    name: 'three `set-cookie`',
    async run(d) {
      const cookies = ['a=1; Path=/', 'b=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT', 'c=3']
      d.serve((_req, res) => res.setHeader('set-cookie', cookies).end())
      expect((await d.fetch()).field('set-cookie')).toEqual(cookies)
    },
  },
  oddFields: {
    name: 'odd but legal field values',
    async run(d) {
      const odd = [`a,b; c="d, \\"e" !#$%&'*+-.^_\`|~()<>@:/[]?={}`, '', 'x'.repeat(8_000), 'a\tb   c']
      const fields = odd.flatMap((value, i) => [`x-odd-${i}`, value])
      const seen = (raw: readonly string[]): string[] =>
        odd.flatMap((_, i) => raw.filter((_, at) => at % 2 === 1 && raw[at - 1]?.toLowerCase() === `x-odd-${i}`))
      let got: string[] = []
      d.serve((req, res) => {
        got = seen(req.rawHeaders)
        res.writeHead(200, fields).end()
      })
      const res = await d.fetch({ headers: fields })
      expect(got).toEqual(odd)
      expect(seen(res.rawHeaders)).toEqual(odd)
    },
  },
  octets: {
    name: 'octets above 127 in field values',
    async run(d) {
      const value = 'caf\u00e9 \u00a3\u00ff'
      let got: string | string[] | undefined
      d.serve((req, res) => {
        got = req.headers['x-octets']
        res.writeHead(200, ['x-octets', value]).end()
      })
      const res = await d.fetch({ headers: ['x-octets', value] })
      expect([got, res.field('x-octets')]).toEqual([value, [value]])
    },
  },
  target: {
    name: 'query and encoded path untouched',
    async run(d) {
      const path = '/a%20b%2Fc/%c3%A4;p=1/~d?x=1&y=%C3%A4+b&&z=a%26b&=&e[]=1'
      d.serve((req, res) => res.end(req.url))
      const res = await d.fetch({ path })
      expect([res.status, res.text]).toEqual([200, `/app${path}`])
    },
  },
  rawQuery: {
    name: '`?q=a|b{c}` while other exchanges run',
    async run(d) {
      const held: (() => void)[] = []
      d.serve((req, res) => {
        if (req.url?.includes('?') === true) {
          res.end(decodeURIComponent(req.url.slice(req.url.indexOf('?'))))
          return
        }
        res.write('first ')
        held.push(() => res.end('last'))
      })
      // More than the connector has sockets, so that each carries one.
      const others = await Promise.all(Array.from({ length: 4 }, () => d.open({ path: '/held' })))
      const res = await d.fetch({ path: '/?q=a|b{c}' })
      expect([res.status, res.text]).toEqual([200, '?q=a|b{c}'])
      for (const end of held) end()
      for (const other of others) expect(String(await buffer(other.response))).toBe('first last')
    },
  },
  wrongRoute: {
    name: 'a route that nobody serves: 404',
    async run(d) {
      expect((await fetchRaw({ port: d.port, path: '/nobody/x' })).status).toBe(404)
    },
  },
} satisfies Record<string, Case>
