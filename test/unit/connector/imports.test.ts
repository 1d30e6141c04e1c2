import { readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

/** Everything that a module imports when it runs; `import type` is gone by then. */
function importsOf(file: URL): string[] {
  const source = readFileSync(file, 'utf8')
  const statements = source.matchAll(/^(?:import|export)\s(?!type\b)(?:[^'";]*?\sfrom\s)?\s*'([^']+)'/gm)
  const dynamic = source.matchAll(/\bimport\(\s*'([^']+)'/g)
  return [...statements, ...dynamic].map((match) => match[1] as string)
}

function reachable(entry: URL): { packages: Set<string>; files: Set<string> } {
  const packages = new Set<string>()
  const files = new Set<string>()
  const todo = [entry]
  for (let file = todo.pop(); file !== undefined; file = todo.pop()) {
    if (files.has(file.href)) continue
    files.add(file.href)
    for (const name of importsOf(file)) {
      if (name.startsWith('.')) todo.push(new URL(name.replace(/\.js$/, '.ts'), file))
      else packages.add(name)
    }
  }
  return { packages, files }
}

describe('what an embedder of the connector drags in', () => {
  const root = new URL('../../../', import.meta.url)
  const { packages, files } = reachable(new URL('connector/index.ts', root))

  it('is ws, uuid and Node, and nothing else', () => {
    const allowed = new Set(['ws', 'uuid'])
    const others = [...packages].filter((name) => !allowed.has(name) && !(name.startsWith('node:') && isBuiltin(name)))
    expect(others).toEqual([])
    // The walk did walk.
    expect(packages).toContain('ws')
    expect(files.size).toBeGreaterThan(20)
  })

  it('holds nothing of the router or of the commands', () => {
    const outside = [...files]
      .map((href) => fileURLToPath(href).slice(fileURLToPath(root).length))
      .filter((path) => !path.startsWith('connector/') && !path.startsWith('protocol/'))
    expect(outside).toEqual([])
  })
})
