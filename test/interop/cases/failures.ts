/** A service that fails. */
import { expect } from 'vitest'
import { readAll } from '../../support/http-client.js'
import type { Case } from './case.js'

export const failures = {
  dead: {
    name: 'a service that is not there: 502',
    async run(d) {
      const res = await d.service.whileDown(() => d.fetch())
      expect(res.status).toBe(502)
    },
  },
  cut: {
    name: 'a response that the service cuts is not whole to the client',
    async run(d) {
      d.serve((_req, res) => {
        res.write('part', () => setImmediate(() => res.destroy()))
      })
      // 502 when the failure is known before the head is passed on.
      const status = d.open().then(async ({ response }) => {
        await readAll(response)
        return response.statusCode
      })
      expect(await status.catch(() => 'cut')).toSatisfy((what) => what === 'cut' || what === 502)
    },
  },
} satisfies Record<string, Case>
