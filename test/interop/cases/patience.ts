/**
 * Cases that wait in real time, because some peers' timers are fixed. They have deployments of their own, and all
 * columns are run at once (`patience.test.ts`). In this order.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { digest, digestOf, MIB, payload } from '../payload.js'
import type { Case } from './case.js'

/** Beyond every peer's ping interval (5 to 10 s) and what the Java side takes for death, 20 s. */
const LONG_MS = 22_000
const STALL_MS = 30_000
/** More than all buffers on the way hold. */
const STALLED_BYTES = 32 * MIB
const LIMIT_MS = 90_000

export const patience = {
  idle: {
    name: 'nothing for 22 s, then a request',
    limit: LIMIT_MS,
    async run(d) {
      await sleep(LONG_MS)
      d.serve((_req, res) => res.end('still here'))
      const res = await d.fetch()
      expect([res.status, res.text]).toEqual([200, 'still here'])
    },
  },
  slow: {
    name: 'a service that answers after 22 s',
    limit: LIMIT_MS,
    async run(d) {
      d.serve((_req, res) => void setTimeout(() => res.end('at last'), LONG_MS))
      const res = await d.fetch()
      expect([res.status, res.text]).toEqual([200, 'at last'])
    },
  },
  stalled: {
    name: 'a client that reads nothing for 30 s gets everything, and others are served meanwhile',
    limit: LIMIT_MS,
    async run(d) {
      d.serve((req, res) => {
        if (req.url?.endsWith('/small') === true) res.end('small')
        else payload(STALLED_BYTES).pipe(res)
      })
      const { response } = await d.open()
      expect(response.statusCode).toBe(200)
      // The response is not read before `digest` begins to.
      const until = performance.now() + STALL_MS
      while (performance.now() < until) {
        expect((await d.fetch({ path: '/small' })).text).toBe('small')
        await sleep(1_000)
      }
      expect(await digest(response)).toBe(await digestOf(STALLED_BYTES))
    },
  },
  nobody: {
    name: 'a route whose connector has left: 503 when the wait is over',
    limit: LIMIT_MS,
    async run(d) {
      await d.stopConnector()
      const res = await d.fetch()
      expect(res.status).toBe(503)
    },
  },
} satisfies Record<string, Case>
