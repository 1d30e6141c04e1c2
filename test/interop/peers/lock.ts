import { mkdir, rm, stat, utimes } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

/** The holder says that it lives this often, */
const HEARTBEAT_MS = 2_000
/** and one that has been silent for this long was killed. */
const STALE_MS = 30_000
const POLL_MS = 250

/** Runs `action` while no other process, and no other call of this one, holds the lock: a folder that it makes. */
export async function withLock<T>(lock: string, action: () => Promise<T>): Promise<T> {
  while (!(await taken(lock))) {
    if ((await silence(lock)) > STALE_MS) await rm(lock, { recursive: true, force: true })
    else await sleep(POLL_MS)
  }
  const heartbeat = setInterval(() => {
    const now = new Date()
    utimes(lock, now, now).catch(() => undefined)
  }, HEARTBEAT_MS)
  try {
    return await action()
  } finally {
    clearInterval(heartbeat)
    await rm(lock, { recursive: true, force: true })
  }
}

async function taken(lock: string): Promise<boolean> {
  try {
    await mkdir(lock)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

async function silence(lock: string): Promise<number> {
  const stats = await stat(lock).catch(() => undefined)
  return stats === undefined ? 0 : Date.now() - stats.mtimeMs
}
