/**
 * The cases that wait, for every column at once: their time passes whether one waits or all do. Each column has a
 * deployment of its own.
 */
import { afterAll, beforeAll, describe, it } from 'vitest'
import { scriptedConnectors, scriptedRouters } from '../support/peers/index.js'
import { casesOf } from './cases/index.js'
import { patience } from './cases/patience.js'
import { type Column, connectorColumns, heading, routerColumns } from './columns.js'
import { Deployment } from './deployment.js'
import { foreignConnectors, foreignRouters } from './peers/index.js'
import { judge, limitOf, outcome, PREPARE_LIMIT_MS } from './suite.js'

type Id = keyof typeof patience
/** Undefined: passed. A string: the peer cannot be run here. */
type Outcome = Error | string | undefined
type Outcomes = Readonly<Record<Id, Promise<Outcome>>>

const columns = [
  ...connectorColumns([...foreignConnectors, ...scriptedConnectors]),
  ...routerColumns([...foreignRouters, ...scriptedRouters]),
]
const ids = Object.keys(patience) as Id[]
const ALL_LIMIT_MS = 5 * 60_000

const started: Deployment[] = []
const outcomes = new Map<Column, Outcomes>()

beforeAll(async () => {
  const missing = await Promise.all(columns.map((column) => column.peer.prepare()))
  // One after the other: the machine has few processors, and each start is work.
  for (const [at, column] of columns.entries()) {
    const reason = missing[at]
    outcomes.set(column, reason === undefined ? await run(column) : all(() => Promise.resolve(reason)))
  }
}, PREPARE_LIMIT_MS)

afterAll(async () => {
  await Promise.all(started.map((deployment) => deployment[Symbol.asyncDispose]()))
}, ALL_LIMIT_MS)

describe.each(columns.map((column) => [column.side, heading(column), column] as const))(
  '%s %s',
  (_side, _name, column) => {
    for (const [id, each] of casesOf(patience, () => true)) {
      it(each.name, { timeout: ALL_LIMIT_MS }, async (context) => {
        const result = await outcomes.get(column)![id]
        if (typeof result === 'string') context.skip(result)
        else judge(column, id, result)
      })
    }
  },
)

/** Starts a deployment, and the column's cases on it, one after the other. */
async function run(column: Column): Promise<Outcomes> {
  const deployment = await Deployment.start(column)
  started.push(deployment)
  let previous: Promise<unknown> = Promise.resolve()
  return all((id) => {
    const result = previous.then(() => outcome(deployment, patience[id], limitOf(column, id, patience[id])))
    previous = result.catch(() => undefined)
    result.catch(() => undefined)
    return result
  })
}

function all(result: (id: Id) => Promise<Outcome>): Outcomes {
  return Object.fromEntries(ids.map((id) => [id, result(id)])) as Record<Id, Promise<Outcome>>
}
