import { execFile, spawnSync } from 'node:child_process'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { ensureBuilt, root } from '../support/built.js'

interface Sample {
  readonly id: string
  readonly test: string
  readonly values: Readonly<Record<string, number>>
}

// It reads CPU time and memory from /proc.
describe.skipIf(process.platform !== 'linux')('npm run bench', () => {
  beforeAll(ensureBuilt, 120_000)

  it('runs every part, and every request in it succeeds', { timeout: 180_000 }, async () => {
    const contestants = ['plain', '3.0-ws', '1.0-ws', '3.0-ws-in']
    const hasH2load = ['h2load', 'openssl'].every((command) => spawnSync(command, ['--version']).error === undefined)
    const size = ['--bulk-mib', '2', '--held', '60', '--idle', '60']
    const args = [
      'test/bench/run.mjs',
      '--quick',
      '--json',
      '--contestants',
      ['tcp', ...contestants].join(','),
      ...size,
    ]
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: root, timeout: 170_000 })
    const { samples } = JSON.parse(stdout) as { samples: readonly Sample[] }

    const measured = (test: string): string[] => samples.filter((s) => s.test === test).map(({ id }) => id)
    for (const test of ['small64', 'small1', 'down', 'up']) expect(measured(test)).toEqual(contestants)
    expect(measured('held')).toEqual(['plain', '3.0-ws'])
    expect(measured('beside')).toEqual(['plain', '3.0-ws'])
    expect(measured('echo')).toEqual(['3.0-ws', '1.0-ws'])
    expect(measured('idle')).toEqual(['3.0-ws'])
    for (const test of ['long-down', 'long-up', 'long-beside']) {
      expect(measured(test)).toEqual(['tcp', '3.0-ws', '1.0-ws'])
    }
    for (const test of ['h2', 'grpc']) if (hasH2load) expect(measured(test)).toEqual(['3.0-ws'])
    for (const { values } of samples) {
      expect(values['failed'] ?? 0).toBe(0)
      expect(Object.values(values).every(Number.isFinite)).toBe(true)
    }
  })

  it('refuses an unknown part in one line', async () => {
    const run = promisify(execFile)(process.execPath, ['test/bench/run.mjs', '--only', 'nothing'], { cwd: root })
    await expect(run).rejects.toMatchObject({ code: 1, stderr: expect.stringMatching(/^bench: --only nothing: .*\n$/) })
  })
})
