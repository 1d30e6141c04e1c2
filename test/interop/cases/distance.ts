/** A connector far away. */
import { expect } from 'vitest'
import { Relay } from '../../support/relay.js'
import { fetchRaw, open } from '../../support/http-client.js'
import { digest, digestOf, MIB, payload } from '../payload.js'
import { READY } from '../service.js'
import type { Case } from './case.js'

/** Each way. */
const DELAY_MS = 50
const BYTES = 4 * MIB
/** What a sender on 3.0 may have under way unless the receiver widens its window (docs/protocol.md §5.4). */
const WINDOW_BYTES = 64 * 1024
/** 6.4 s. */
const UNWIDENED_MS = (BYTES / WINDOW_BYTES) * 2 * DELAY_MS

export const distance = {
  distance: {
    name: 'a download over 100 ms is not held to 64 KiB per round trip',
    limit: 60_000,
    only: (column) => column.side === 'connector' && column.over === '3.0',
    async run(d) {
      await using relay = await Relay.start({ to: d.registrationPort, delayMs: DELAY_MS })
      const connector = await d.column.connector.start({
        routers: [`ws://127.0.0.1:${String(relay.port)}`],
        route: 'far',
        target: d.service.url,
        protocols: d.column.protocols,
      })
      try {
        await d.reached(`/far${READY}`)
        d.serve((_req, res) => payload(BYTES).pipe(res))
        const from = performance.now()
        const { response } = await open({ port: d.port, path: '/far/' })
        expect(await digest(response)).toBe(await digestOf(BYTES))
        // A fraction of a second; half of what it would take leaves room for a machine that is busy.
        expect(performance.now() - from).toBeLessThan(UNWIDENED_MS / 2)
        expect((await fetchRaw({ port: d.port, path: `/far${READY}` })).status).toBe(200)
      } finally {
        await connector.stop()
      }
    },
  },
} satisfies Record<string, Case>
