/** Exchanges that take their time, and clients that do not wait for their end. */
import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { expect } from 'vitest'
import { readAll } from '../../support/http-client.js'
import type { Case } from './case.js'

const EVENTS = 20
const AT_ONCE = 50

export const streams = {
  events: {
    name: 'server-sent events, in order and at once',
    async run(d) {
      const started = deferred<ServerResponse>()
      d.serve((_req, res) => {
        res.writeHead(200, { 'content-type': 'text/event-stream' }).write(event(0))
        started.resolve(res)
      })
      const { response } = await d.open({ headers: ['Accept', 'text/event-stream'] })
      const service = await started.promise
      let text = ''
      const chunks = response[Symbol.asyncIterator]() as AsyncIterator<Buffer>
      // Each event is sent when the one before has been received: one that is held back would be the last.
      for (let i = 0; i < EVENTS; i++) {
        if (i > 0) service.write(event(i))
        while (!text.endsWith(event(i))) {
          const { value, done } = await chunks.next()
          if (done === true) throw new Error(`ended after ${JSON.stringify(text)}`)
          text += value.toString()
        }
      }
      service.end()
      expect((await chunks.next()).done).toBe(true)
      expect(text).toBe(Array.from({ length: EVENTS }, (_, i) => event(i)).join(''))
    },
  },
  headFirst: {
    name: 'a response head that comes before its body is passed on at once',
    async run(d) {
      const started = deferred<ServerResponse>()
      d.serve((_req, res) => {
        res.flushHeaders()
        started.resolve(res)
      })
      // The service sends its body when the client has the head.
      const { response } = await d.open()
      expect(response.statusCode).toBe(200)
      ;(await started.promise).end('body')
      expect(String(await readAll(response))).toBe('body')
    },
  },
  atOnce: {
    name: `${AT_ONCE} exchanges at once`,
    async run(d) {
      const held: (() => void)[] = []
      d.serve((req, res) => {
        held.push(() => res.end(req.url?.slice(req.url.lastIndexOf('/'))))
        // The last to arrive lets them all go: each was under way while all others were.
        if (held.length === AT_ONCE) for (const end of held) end()
      })
      const results = await Promise.all(
        Array.from({ length: AT_ONCE }, async (_, i) => {
          const { status, text } = await d.fetch({ path: `/${i}` })
          return `${status} ${text}`
        }),
      )
      expect(results).toEqual(Array.from({ length: AT_ONCE }, (_, i) => `200 /${i}`))
    },
  },
  leftDuring: {
    name: 'a client that leaves during the response: the service notices',
    async run(d) {
      const left = deferred()
      d.serve((_req, res) => {
        res.on('close', () => {
          clearInterval(timer)
          left.resolve()
        })
        // Some peers notice only when they have something to pass on.
        const timer = setInterval(() => res.write('more'), 20)
      })
      const { request, response } = await d.open()
      await once(response, 'data')
      request.on('error', () => {}).destroy()
      await left.promise
    },
  },
  leftBefore: {
    name: 'a client that leaves before the response: the service notices',
    async run(d) {
      const arrived = deferred()
      const left = deferred()
      d.serve((_req, res) => {
        res.on('close', left.resolve)
        arrived.resolve()
      })
      const leave = new AbortController()
      const gone = d.open({ signal: leave.signal }).catch(() => undefined)
      await arrived.promise
      leave.abort()
      await gone
      await left.promise
    },
  },
} satisfies Record<string, Case>

function event(number: number): string {
  return `data: ${number}\n\n`
}

interface Deferred<T> {
  readonly promise: Promise<T>
  resolve(value: T): void
}

function deferred<T = void>(): Deferred<T> {
  let resolve!: (value: T) => void
  const promise = new Promise<T>((done) => {
    resolve = done
  })
  return { promise, resolve }
}
