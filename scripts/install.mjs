/** Installs what package-lock.json names and node_modules lacks. Needs nothing but Node and npm. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'

/** @returns whether every package of the lock file is there in its version (those for other systems aside) */
function complete(root) {
  const installed = packagesOf(new URL('node_modules/.package-lock.json', root))
  if (installed === undefined) return false
  const wanted = packagesOf(new URL('package-lock.json', root)) ?? {}
  return Object.entries(wanted).every(
    ([path, { version, optional, devOptional }]) =>
      path === '' || optional === true || devOptional === true || installed[path]?.version === version,
  )
}

function packagesOf(file) {
  if (!existsSync(file)) return undefined
  try {
    return JSON.parse(readFileSync(file, 'utf8')).packages
  } catch {
    return undefined
  }
}

export function installMissing(root) {
  if (complete(root)) return
  process.stdout.write('Installing packages (npm ci) …\n')
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  })
  if (status !== 0) process.exit(status ?? 1)
}
