/** Every case, in the order in which one deployment runs them, and the page shows them. */
import { bodies } from './bodies.js'
import type { Case } from './case.js'
import { distance } from './distance.js'
import { failures } from './failures.js'
import { lifecycle } from './lifecycle.js'
import { messages } from './messages.js'
import { patience } from './patience.js'
import { streams } from './streams.js'

/** Run one after the other on one deployment. */
export const swift = { ...messages, ...bodies, ...streams, ...failures, ...distance, ...lifecycle }
export const cases = { ...swift, ...patience }

export type CaseId = keyof typeof cases

/** `[id, case]` of a group, for a column. */
export function casesOf<Id extends CaseId>(
  group: Readonly<Record<Id, Case>>,
  applies: (it: Case) => boolean,
): [Id, Case][] {
  return (Object.entries(group) as [Id, Case][]).filter(([, it]) => applies(it))
}
