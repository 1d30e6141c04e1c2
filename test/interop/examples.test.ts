/** The connectors in `examples/` that were written from docs/protocol.md alone: with our router, and under the kit. */
import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { newsIn, runKit } from '../conformance-kit/run-kit.js'
import { connectorColumns } from './columns.js'
import { exampleGo, exampleGoCommand } from './peers/example-go.js'
import { examplePython, examplePythonCommand } from './peers/example-python.js'
import { exampleConnectors } from './peers/index.js'
import { describeColumns, PREPARE_LIMIT_MS } from './suite.js'

const KIT_LIMIT_MS = 5 * 60_000
/** Comments and blank lines included. */
const MAX_LINES = 200

it.each(['connector-python/connector.py', 'connector-go/main.go'])('%s has at most 200 lines', async (path) => {
  const text = await readFile(new URL(`../../examples/${path}`, import.meta.url), 'utf8')
  expect(text.split('\n').length - 1).toBeLessThanOrEqual(MAX_LINES)
})

describeColumns(connectorColumns(exampleConnectors))

describe('cranker check connector', () => {
  it.for([
    { peer: examplePython, command: examplePythonCommand },
    { peer: exampleGo, command: exampleGoCommand },
  ])('passes $peer.title', { timeout: PREPARE_LIMIT_MS + KIT_LIMIT_MS }, async ({ peer, command }, { skip }) => {
    const missing = await peer.prepare()
    if (missing !== undefined) skip(missing)
    const flags = ['--router', '{router}', '--route', '{route}', '--target', '{target}']
    const run = await runKit(() => () => {}, {
      exec: ['exec', ...command().map((word) => `'${word}'`), ...flags].join(' '),
    })
    expect(newsIn(run.results), newsIn(run.results)).toBe('')
    expect(run.results.filter(({ outcome }) => outcome === 'pass').length).toBeGreaterThan(100)
  })
})
