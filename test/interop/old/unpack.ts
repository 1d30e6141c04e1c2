/** A vitest global setup: unpacks the earlier build, unless it is there. Several processes may do it at once. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { archive, unpacked } from './build.js'

export async function setup(): Promise<void> {
  if (existsSync(unpacked)) return
  const cache = dirname(unpacked)
  await mkdir(cache, { recursive: true })
  const made = await mkdtemp(`${cache}/unpacking-`)
  await promisify(execFile)('tar', ['-xzf', archive, '-C', made])
  try {
    await rename(made, unpacked)
  } catch (error) {
    await rm(made, { recursive: true })
    if (!existsSync(unpacked)) throw error
  }
}
