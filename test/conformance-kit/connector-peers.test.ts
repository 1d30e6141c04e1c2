/** The lists of known deviations (`--like`), held against the real programs: a change in either direction fails. */
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { knownPeers } from '../../check/like.js'
import { java, javaCommand } from '../interop/peers/java.js'
import { pythonEnvironment, pythonOf } from '../interop/peers/python.js'
import { newsOf, runKit } from './run-kit.js'

/** Installing what they need is bounded by the peers themselves. */
const TIMEOUT_MS = 15 * 60_000

interface Peer {
  readonly word: string
  readonly versions: string
  /** Resolves to why it cannot be had. */
  readonly prepare: () => Promise<string | undefined>
  readonly command: () => readonly string[]
}

function python(word: string, versions: string): Peer {
  const environment = pythonEnvironment(word)
  const program = fileURLToPath(new URL(`../interop/programs/python/${word}/connector.py`, import.meta.url))
  return {
    word,
    versions,
    prepare: () => environment.prepare(),
    command: () => [pythonOf(environment.folder), program],
  }
}

const PEERS: readonly Peer[] = [
  { word: 'jc', versions: '3.0,1.0', prepare: () => java.prepare(), command: () => javaCommand('InteropConnector') },
  python('c4p', '1.0'),
  python('ac', '3.0'),
]

describe.concurrent('the known deviations of connectors', () => {
  it.for(PEERS)(
    'are what $word does',
    { timeout: TIMEOUT_MS },
    async ({ word, versions, prepare, command }, context) => {
      const missing = await prepare()
      if (missing !== undefined) return context.skip(missing)
      const quoted = command().map((arg) => `'${arg}'`)
      const settings = ['routers={router}', 'route={route}', 'target={target}', 'window=2', `protocols=${versions}`]
      let passed = 0
      const news = await newsOf(async (options) => {
        const { results } = await runKit(() => () => {}, {
          exec: ['exec', ...quoted, ...settings].join(' '),
          like: knownPeers[word],
          strict: true,
          ...options,
        })
        passed += results.filter(({ outcome }) => outcome === 'pass').length
        return results
      })
      expect(news, news).toBe('')
      expect(passed).toBeGreaterThan(30)
    },
  )
})
