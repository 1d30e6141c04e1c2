import { existsSync, readFileSync } from 'node:fs'
import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { LATE_FLAGS, RUNTIME_FLAGS } from '../../cli/runtime-flags.js'
import { ensureBuilt } from '../support/built.js'
import { RunningCommand } from '../support/process.js'

const canRestart = 'execve' in process && existsSync('/proc/self/cmdline')
const cleanups: (() => Promise<void>)[] = []

beforeAll(ensureBuilt, 180_000)
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup()
})

describe('the commands’ garbage collector', () => {
  it.skipIf(!canRestart)('gets its settings in the same process, and without a word about it', async () => {
    const command = new RunningCommand('cranker-router', ['--host=127.0.0.1', '--port=0', '--registration-port=0'])
    cleanups.push(() => command.dispose())
    await command.logged('router listening')
    const words = readFileSync(`/proc/${String(command.child.pid)}/cmdline`, 'utf8').split('\0')
    expect(words).toEqual(expect.arrayContaining([...RUNTIME_FLAGS, '--registration-port=0']))
    expect(command.stderr).toBe('')
    command.kill('SIGTERM')
    expect(await command.exited).toEqual({ code: 0, signal: null })
  })

  it('are flags that this Node knows', async () => {
    const { execFile } = await import('node:child_process')
    const { promisify } = await import('node:util')
    const late = LATE_FLAGS.map((flag) => `require('node:v8').setFlagsFromString('${flag}')`).join(';')
    const { stderr } = await promisify(execFile)(process.execPath, [...RUNTIME_FLAGS, '-e', late])
    expect(stderr).toBe('')
  })
})
