/** How foreign peers get onto a machine: once, whole or not at all, and what is an excuse. */
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { CommandResult } from './peers/command.js'
import { Installation, type Recipe } from './peers/installation.js'

const OK: CommandResult = { ok: true, output: '' }

describe('an installation', () => {
  let cache: string
  let installs: number

  beforeEach(async () => {
    cache = await mkdtemp(join(tmpdir(), 'installation-'))
    installs = 0
    vi.stubEnv('CRANKER_INTEROP_REQUIRE', '')
  })

  afterEach(async () => {
    vi.unstubAllEnvs()
    await rm(cache, { recursive: true })
  })

  function installation(overrides: Partial<Recipe> = {}): Installation {
    return new Installation(
      {
        name: 'thing',
        programs: 'java',
        inputs: ['pom.xml'],
        toolchain: async () => ({ found: 'tool 1' }),
        async *install(folder) {
          installs++
          yield OK
          await writeFile(join(folder, 'part'), '')
          yield OK
        },
        ...overrides,
      },
      cache,
    )
  }

  const fails = (output: string): Partial<Recipe> => ({
    async *install(folder) {
      installs++
      await writeFile(join(folder, 'part'), '')
      yield { ok: false, output }
      installs += 100
    },
  })

  it('happens once, even when two processes want it at the same time', async () => {
    const both = [installation(), installation()]
    expect(await Promise.all(both.map((one) => one.prepare()))).toEqual([undefined, undefined])
    expect(installs).toBe(1)
    for (const { folder } of both) expect(await readdir(folder)).toEqual(['part'])
    expect(await installation().prepare()).toBeUndefined()
    expect(installs).toBe(1)
  })

  it('happens again for other versions and with other tools', async () => {
    await installation().prepare()
    await installation({ inputs: ['pom.xml', 'Lifetime.java'] }).prepare()
    await installation({ toolchain: async () => ({ found: 'tool 2' }) }).prepare()
    expect(installs).toBe(3)
  })

  it('says which tool is missing', async () => {
    const thing = installation({ toolchain: async () => ({ missing: 'no tool found' }) })
    expect(await thing.prepare()).toBe('no tool found')
    expect(installs).toBe(0)
  })

  it('is an error when it fails, and leaves nothing behind', async () => {
    await expect(installation(fails('error: no such version 9.9')).prepare()).rejects.toThrow('no such version 9.9')
    expect(installs).toBe(1)
    expect(await readdir(cache)).toEqual([])
    expect(await installation().prepare()).toBeUndefined()
  })

  it.each([
    'Unknown host repo.example: Name or service not known',
    'warning: spurious network error (3 tries remaining): [6] Could not resolve hostname',
    'NewConnectionError: Failed to establish a new connection: [Errno -3] Temporary failure in name resolution',
    'Could not transfer artifact a:b:pom:1 from/to central: Connect to repo.example:443 failed: Connection timed out',
  ])('is excused when the network is to blame: %s', async (line) => {
    expect(await installation(fails(`some lines\n${line}\nmore`)).prepare()).toBe(
      `thing could not be downloaded: ${line}`,
    )
  })

  it('has no excuse where CRANKER_INTEROP_REQUIRE is set', async () => {
    vi.stubEnv('CRANKER_INTEROP_REQUIRE', '1')
    const thing = installation({ toolchain: async () => ({ missing: 'no tool found' }) })
    await expect(thing.prepare()).rejects.toThrow('no tool found')
  })

  it('begins anew where a process was killed in the middle of it', async () => {
    const lock = join(cache, 'thing.lock')
    await mkdir(lock)
    const longAgo = new Date(Date.now() - 60_000)
    await utimes(lock, longAgo, longAgo)
    await mkdir(join(cache, 'thing.new'))
    await writeFile(join(cache, 'thing.new', 'half'), '')
    const thing = installation()
    expect(await thing.prepare()).toBeUndefined()
    expect(await readdir(thing.folder)).toEqual(['part'])
    expect(existsSync(lock)).toBe(false)
  })
})
