/** Runs cases over columns, and holds what happens against the expected failures. */
import { afterAll, beforeAll, describe, it } from 'vitest'
import { CASE_LIMIT_MS, type Case } from './cases/case.js'
import { type CaseId, casesOf, swift } from './cases/index.js'
import { type Column, heading } from './columns.js'
import { Deployment } from './deployment.js'
import { expectedFailure } from './expected.js'

/** Compiling the slowest peer, and whoever else does that at the same time. */
export const PREPARE_LIMIT_MS = 12 * 60_000
/** For a case that is known to hang. */
const HANG_LIMIT_MS = 3_000
/** Starting again what the case before has stopped. */
const READY_LIMIT_MS = 60_000

/** One deployment for each column, on which it runs the cases one after the other. */
export function describeColumns(columns: readonly Column[]): void {
  describe.each(columns.map((column) => [heading(column), column] as const))('%s', (_, column) => {
    let missing: string | undefined
    let deployment: Deployment | undefined
    beforeAll(async () => {
      missing = await column.peer.prepare()
      if (missing === undefined) deployment = await Deployment.start(column)
    }, PREPARE_LIMIT_MS)
    afterAll(async () => {
      await deployment?.[Symbol.asyncDispose]()
    }, READY_LIMIT_MS)

    for (const [id, which] of casesOf(swift, (each) => each.only?.(column) ?? true)) {
      const limit = limitOf(column, id, which)
      it(which.name, { timeout: limit + READY_LIMIT_MS }, async (context) => {
        if (deployment === undefined) context.skip(missing)
        else judge(column, id, await outcome(deployment, which, limit))
      })
    }
  })
}

/** How long the case may take in this column, in ms. */
export function limitOf(column: Column, id: CaseId, { limit = CASE_LIMIT_MS }: Case): number {
  return expectedFailure(column, id)?.hangs === true ? HANG_LIMIT_MS : limit
}

/** Runs one case: undefined when it passes, else what went wrong. A failure costs the foreign peer its process: the next case shall not suffer from what this one left in it. */
export async function outcome(deployment: Deployment, which: Case, limit: number): Promise<Error | undefined> {
  await deployment.ready()
  const failed = await attempt(deployment, which, limit)
  // Before anything is ended: afterwards the peers complain of that.
  const output = failed === undefined ? '' : deployment.output()
  await deployment.clear()
  if (failed !== undefined) await deployment.renew()
  return failed === undefined ? undefined : new Error(`${failed.message}\n${output}`, { cause: failed })
}

/** Throws when a result differs from what is expected of the peer. */
export function judge(column: Column, id: CaseId, failed: Error | undefined): void {
  const listed = expectedFailure(column, id)
  if (listed === undefined) {
    if (failed !== undefined) throw failed
  } else if (failed === undefined && listed.sometimes !== true) {
    throw new Error(`${heading(column)} can do this now: remove "${id}" from its entry in test/interop/expected.ts`)
  }
}

async function attempt(deployment: Deployment, which: Case, limit: number): Promise<Error | undefined> {
  let timer: NodeJS.Timeout | undefined
  const expired = new Promise<Error>((resolve) => {
    timer = setTimeout(() => {
      resolve(new Error(`not done after ${limit / 1000} s`))
    }, limit)
  })
  const done = which.run(deployment).then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
  )
  try {
    return await Promise.race([done, expired])
  } finally {
    clearTimeout(timer)
  }
}
