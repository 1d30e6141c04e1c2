import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

/** The project's folder. */
export const root = fileURLToPath(new URL('../..', import.meta.url))

/** Brings dist up to date, for tests that run what users run. Several test files may call it at once. */
export async function ensureBuilt(): Promise<void> {
  await promisify(execFile)(process.execPath, ['scripts/build.mjs', '--if-stale'], { cwd: root })
}

/** The path of a built command. */
export function bin(name: 'cranker' | 'cranker-router' | 'cranker-connector'): string {
  return `${root}dist/cli/bin/${name}.js`
}
