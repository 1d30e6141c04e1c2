import { stat } from 'node:fs/promises'
import type { Clock, Timer } from '../../protocol/clock.js'
import type { Logger } from '../../protocol/logger.js'
import type { Certificates } from './certificates.js'

/** How often certificate files are looked at, ms. A change is taken over one or two looks later. */
export const CERTIFICATE_CHECK_MS = 2_000

/**
 * Reloads certificates when their files have changed and then stood still for one look: a certificate and its key are
 * never replaced in the same instant. Asking for the time of the files sees what notifications of the kernel miss: network file systems, and
 * directories that are exchanged as a whole behind a symbolic link.
 */
export class CertificateWatch {
  readonly #certificates: Certificates
  readonly #log: Logger
  readonly #timer: Timer
  #applied: string | undefined
  #last: string | undefined
  #stopped = false

  constructor(certificates: Certificates, clock: Clock, log: Logger) {
    this.#certificates = certificates
    this.#log = log
    this.#timer = clock.timer(() => void this.look(), CERTIFICATE_CHECK_MS)
    this.#timer.clear()
    if (certificates.files.length > 0) void this.look()
  }

  stop(): void {
    this.#stopped = true
    this.#timer.clear()
  }

  /** One look; the timer makes the next. */
  async look(): Promise<void> {
    const seen = (await Promise.all(this.#certificates.files.map(fingerprint))).join(' ')
    if (this.#stopped) return
    this.#applied ??= seen
    if (seen === this.#last && seen !== this.#applied) {
      this.#applied = seen
      this.#reload()
    }
    this.#last = seen
    this.#timer.refresh()
  }

  #reload(): void {
    const files = this.#certificates.files
    try {
      this.#certificates.reload()
      this.#log.info({ files }, 'certificates have changed: the new ones are used')
    } catch (err) {
      this.#log.error({ err, files }, 'certificates have changed but cannot be used: the old ones stay')
    }
  }
}

async function fingerprint(file: string): Promise<string> {
  try {
    const { ino, size, mtimeMs } = await stat(file)
    return `${ino}:${size}:${mtimeMs}`
  } catch {
    // While it is being replaced, or for good: loading will tell.
    return 'none'
  }
}
