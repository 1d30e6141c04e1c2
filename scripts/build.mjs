/**
 * Builds dist with tsc. With --if-stale only when a source is newer than the last build. Another process that builds
 * at the same time is waited for, and dist is swapped in whole: what runs from it never sees half of it.
 */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const SOURCES = [
  'protocol',
  'router',
  'connector',
  'check',
  'cli',
  'tsconfig.json',
  'tsconfig.build.json',
  'package.json',
]
const STAMP = 'dist/.built'
const LOCK = 'node_modules/.cranker-build-lock'
/** A lock older than this was left by a process that died. */
const LOCK_STALE_MS = 120_000

function newest(path) {
  const stat = statSync(path)
  if (!stat.isDirectory()) return stat.mtimeMs
  return readdirSync(path).reduce((latest, name) => Math.max(latest, newest(join(path, name))), stat.mtimeMs)
}

function stale(root) {
  const stamp = join(root, STAMP)
  if (!existsSync(stamp)) return true
  const built = statSync(stamp).mtimeMs
  return SOURCES.some((source) => newest(join(root, source)) > built)
}

async function withLock(root, action) {
  const lock = join(root, LOCK)
  for (;;) {
    try {
      mkdirSync(lock)
      break
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
      const age = existsSync(lock) ? Date.now() - statSync(lock).mtimeMs : 0
      if (age > LOCK_STALE_MS) rmSync(lock, { recursive: true, force: true })
      else await sleep(200)
    }
  }
  try {
    return action()
  } finally {
    rmSync(lock, { recursive: true, force: true })
  }
}

function compile(root) {
  const started = new Date()
  const fresh = join(root, `dist.${process.pid}`)
  const tsc = createRequire(join(root, 'package.json')).resolve('typescript/bin/tsc')
  const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', fresh], {
    cwd: root,
    stdio: ['ignore', 2, 2],
  })
  if (status !== 0) {
    rmSync(fresh, { recursive: true, force: true })
    return false
  }
  const bins = join(fresh, 'cli', 'bin')
  for (const name of readdirSync(bins)) if (name.endsWith('.js')) chmodSync(join(bins, name), 0o755)
  writeFileSync(join(fresh, '.built'), `${started.toISOString()}\n`)
  // A source that changed while tsc ran must count as newer.
  utimesSync(join(fresh, '.built'), started, started)
  const old = join(root, `dist.${process.pid}.old`)
  if (existsSync(join(root, 'dist'))) renameSync(join(root, 'dist'), old)
  renameSync(fresh, join(root, 'dist'))
  rmSync(old, { recursive: true, force: true })
  return true
}

/** @returns whether dist is up to date now */
export function build(root, { ifStale }) {
  return withLock(root, () => (ifStale && !stale(root)) || compile(root))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = fileURLToPath(new URL('..', import.meta.url))
  if (!(await build(root, { ifStale: process.argv.includes('--if-stale') }))) process.exit(1)
}
