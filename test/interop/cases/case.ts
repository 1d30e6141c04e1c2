import type { Column } from '../columns.js'
import type { Deployment } from '../deployment.js'

/** One row of docs/interop.md: what must work between every two peers. */
export interface Case {
  /** A sentence. */
  readonly name: string
  /** In ms; default {@link CASE_LIMIT_MS}. Only a hang is ended by it. */
  readonly limit?: number
  /** Columns of which the case says something; default all. */
  readonly only?: (column: Column) => boolean
  /** Rejects when it does not work. What it leaves behind is cleared away afterwards. */
  run(deployment: Deployment): Promise<void>
}

export const CASE_LIMIT_MS = 10_000
