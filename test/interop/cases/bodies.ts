/** Large bodies, whole and unchanged. */
import { expect } from 'vitest'
import type { Deployment } from '../deployment.js'
import { digest, digestOf, MIB, payload } from '../payload.js'
import type { Case } from './case.js'

export const bodies = {
  down1: { name: '1 MiB down', run: (d) => down(d, MIB) },
  up1: { name: '1 MiB up', run: (d) => up(d, MIB) },
  down64: { name: '64 MiB down', limit: 60_000, run: (d) => down(d, 64 * MIB) },
  up64: { name: '64 MiB up', limit: 60_000, run: (d) => up(d, 64 * MIB) },
} satisfies Record<string, Case>

async function down(d: Deployment, bytes: number): Promise<void> {
  d.serve((_req, res) => {
    res.setHeader('content-length', bytes)
    payload(bytes).pipe(res)
  })
  const { response } = await d.open()
  expect(response.statusCode).toBe(200)
  expect(await digest(response)).toBe(await digestOf(bytes))
}

async function up(d: Deployment, bytes: number): Promise<void> {
  d.serve((req, res) => {
    digest(req).then(
      (text) => res.end(text),
      () => res.destroy(),
    )
  })
  const headers = ['Content-Length', String(bytes)]
  const res = await d.fetch({ method: 'POST', headers, body: payload(bytes) })
  expect([res.status, res.text]).toEqual([200, await digestOf(bytes)])
}
