import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { root } from '../support/built.js'
import { RunningProcess } from '../support/process.js'
import { temporaryFolder } from '../support/temporary-folder.js'

/** For installing all packages, and compiling. */
const LIMIT_MS = 240_000
const run = promisify(execFile)

/** What git has or would take, as it is here: neither node_modules nor dist. Undefined where git knows nothing. */
async function freshClone(): Promise<string | undefined> {
  const list = ['ls-files', '-z', '--cached', '--others', '--exclude-standard']
  const { stdout } = await run('git', list, { cwd: root }).catch(() => ({ stdout: '' }))
  if (stdout === '') return undefined
  const clone = temporaryFolder()
  for (const file of stdout.split('\0').filter((name) => name !== '' && existsSync(join(root, name)))) {
    await cp(join(root, file), join(clone, file))
  }
  return clone
}

/** `npm start` until it says what to try, what that answers, and Ctrl-C. */
async function tried(clone: string): Promise<{ readonly printed: string; readonly answer: string }> {
  const started = new RunningProcess('npm', ['start', '--', '--port', '0'], {
    cwd: clone,
    env: { HOME: process.env['HOME'] ?? clone, npm_config_prefer_offline: 'true' },
    detached: true,
  })
  try {
    const url = await started.until(() => /curl (http:\S+hello\S*)/.exec(started.stdout)?.[1], 'a curl line')
    const answer = await (await fetch(url)).text()
    started.kill('SIGINT')
    await started.exited
    await expect(fetch(url)).rejects.toThrow('fetch failed')
    return { printed: started.stdout, answer }
  } finally {
    await started.dispose()
  }
}

it('npm start needs nothing but the clone, and installs only once', { timeout: LIMIT_MS }, async (context) => {
  const clone = await freshClone()
  if (clone === undefined) return context.skip('this is no checkout')
  const first = await tried(clone)
  expect(first.printed).toContain('Installing packages')
  expect(first.answer).toBe('Hello from inside the firewall.\n')
  const second = await tried(clone)
  expect(second.printed).not.toContain('Installing packages')
  expect(second.answer).toBe(first.answer)
})
