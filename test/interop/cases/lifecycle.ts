/** Connectors and routers that come and go. These cases restart both, so they are the last. */
import { buffer } from 'node:stream/consumers'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { type Deployment, ROUTE } from '../deployment.js'
import { ourConnector } from '../peers/ours.js'
import { type Service, withBody } from '../service.js'
import type { Case } from './case.js'

/** Long enough for a request to arrive at the router, and for the answer of one that refuses it. */
const ARRIVED_MS = 300
const CLIENTS = 8
/** Answered before the connector stops, and after. */
const BEFORE = 100
const AFTER = 100
/** What a request takes at the service: some are always under way. */
const WORK_MS = 5
/** Requests that are under way at once, to see where they go. */
const NEW_AT_ONCE = 8
const LOAD_LIMIT_MS = 30_000

export const lifecycle = {
  waits: {
    name: 'a request waits for the connector',
    limit: LOAD_LIMIT_MS,
    async run(d) {
      await d.stopConnector()
      const answered = d.fetch()
      // Nothing tells that a foreign router has the request; one that does not let it wait has answered by then.
      await Promise.race([answered, sleep(ARRIVED_MS)])
      await d.startConnector()
      expect((await answered).status).toBe(200)
    },
  },
  restart: {
    name: 'the router restarts, and the connector comes back',
    limit: 60_000,
    async run(d) {
      await d.stopRouter()
      await d.startRouter()
      await d.reached(`/${ROUTE}/`)
    },
  },
  finishes: {
    name: 'a connector that stops finishes what runs and is given nothing new',
    limit: LOAD_LIMIT_MS,
    async run(d) {
      const other = await successor(d)
      let together = barrier(NEW_AT_ONCE)
      const held: (() => void)[] = []
      other.serve((_req, res) => res.end('other'))
      d.serve((req, res) => {
        if (req.url?.endsWith('/held') !== true) {
          together.pass(() => res.end('first'))
          return
        }
        res.write('first ')
        held.push(() => res.end('last'))
      })
      const running = []
      while (held.length === 0) running.push(await d.open({ path: '/held' }))
      const stopped = d.stopConnector()
      // All at once, so that they would be shared by both connectors.
      other.serve((_req, res) => together.pass(() => res.end('other')))
      const arrive = async (): Promise<boolean> => {
        const { status, text } = await d.fetch({ path: '/new' })
        // It met the end of a socket, which is the next case's subject: nobody shall wait for it.
        if (status !== 200) together.open()
        return text === 'other'
      }
      let elsewhere: boolean[]
      do {
        together = barrier(NEW_AT_ONCE)
        elsewhere = await Promise.all(Array.from({ length: NEW_AT_ONCE }, arrive))
      } while (elsewhere.includes(false))
      for (const end of held) end()
      const ended = await Promise.all(running.map(async ({ response }) => String(await buffer(response))))
      expect(ended.filter((text) => text !== 'other')).toEqual(['first last'])
      await stopped
    },
  },
  underLoad: {
    name: 'a connector stops under load without a failed request',
    limit: LOAD_LIMIT_MS,
    async run(d) {
      const other = await successor(d)
      const work = withBody((body, res, req) => setTimeout(() => res.end(`${req.method} ${body}`), WORK_MS))
      d.serve(work)
      other.serve(work)
      const failed: string[] = []
      let answered = 0
      let enough = Infinity
      const due: { at: number; then: () => void }[] = []
      const client = async (_: unknown, i: number): Promise<void> => {
        const post = i % 2 === 1
        while (answered < enough) {
          const { status, text } = await d.fetch(post ? { method: 'POST', body: 'x' } : {})
          if (status !== 200 || text !== (post ? 'POST x' : 'GET ')) failed.push(`${status} ${text}`)
          answered++
          for (const { then } of due.filter(({ at }) => answered >= at)) then()
        }
      }
      const clients = Promise.all(Array.from({ length: CLIENTS }, client))
      // A client that fails has its say before this wait is over.
      await Promise.race([clients, new Promise<void>((then) => due.push({ at: BEFORE, then }))])
      await d.stopConnector()
      enough = answered + AFTER
      await clients
      expect(failed).toEqual([])
    },
  },
} satisfies Record<string, Case>

/** One more connector, ours, on the same route, with a service of its own; resolves when it is given requests. */
async function successor(d: Deployment): Promise<Service> {
  const service = await d.addService()
  d.serve((_req, res) => res.end('first'))
  service.serve((_req, res) => res.end('other'))
  await d.addConnector(ourConnector, { target: service.url })
  await d.reached(`/${ROUTE}/`, (res) => res.text === 'other')
  return service
}

interface Barrier {
  /** Calls `then` when `count` have come, or it is open. */
  pass(then: () => void): void
  open(): void
}

function barrier(count: number): Barrier {
  const waiting: (() => void)[] = []
  let left = count
  const go = (): void => waiting.splice(0).forEach((then) => then())
  return {
    pass(then) {
      waiting.push(then)
      if (--left <= 0) go()
    },
    open() {
      left = 0
      go()
    },
  }
}
