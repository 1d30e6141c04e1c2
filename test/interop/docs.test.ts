import { describe, expect, it } from 'vitest'
import { scriptedConnectors, scriptedRouters } from '../support/peers/index.js'
import { cases } from './cases/index.js'
import type { Case } from './cases/case.js'
import { connectorColumns, routerColumns } from './columns.js'
import { expectedFailure, expectedFailures } from './expected.js'
import { renderPage } from './page.js'
import { foreignConnectors, foreignRouters } from './peers/index.js'

const columns = [
  ...connectorColumns([...foreignConnectors, ...scriptedConnectors]),
  ...routerColumns([...foreignRouters, ...scriptedRouters]),
]

describe('docs/interop.md', () => {
  it('says what the suite expects (npm run docs:interop)', async () => {
    const page = renderPage(
      { real: foreignRouters, standIns: scriptedRouters },
      { real: foreignConnectors, standIns: scriptedConnectors },
    )
    await expect(page, 'rewrite it with: npm run docs:interop').toMatchFileSnapshot('../../docs/interop.md')
  })

  it('every expected failure belongs to a cell, and to one alone', () => {
    for (const failure of expectedFailures) {
      for (const id of failure.cases) {
        const each: Case = cases[id]
        const cells = columns.filter(
          (column) => (each.only?.(column) ?? true) && expectedFailure(column, id) === failure,
        )
        expect(cells.length, `${failure.peer}: ${id}`).toBeGreaterThanOrEqual(failure.over?.length ?? 1)
      }
    }
  })

  it('tells peers apart by their names', () => {
    const names = columns.map(({ side, peer, over }) => `${side} ${peer.name} ${over}`)
    expect(new Set(names).size).toBe(names.length)
  })
})
