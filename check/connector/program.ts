/** The connector under test as a process (`--exec`): started, stopped by SIGTERM, never left behind. */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'

/** Of its output, for reports. */
const KEEP_CHARS = 4_000
/** From SIGTERM to SIGKILL. */
const KILL_AFTER_MS = 15_000

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export class Program {
  readonly #command: string
  #child: ChildProcess | undefined
  #exit: Exit | undefined
  #output = ''
  #stopping = false
  /** When it was started last, in ms of `performance.now()`. */
  startedAt = 0

  /** `command` is given to a shell. */
  constructor(command: string) {
    this.#command = command
  }

  get running(): boolean {
    return this.#child !== undefined && this.#exit === undefined
  }

  /** How it ended, if it did. */
  get exit(): Exit | undefined {
    return this.#exit
  }

  /** The end of what it has printed. */
  get output(): string {
    return this.#output
  }

  /** Starts it, unless it runs; one that is about to end is waited for. */
  async ready(): Promise<void> {
    if (this.#stopping) await this.stop()
    this.start()
  }

  start(): void {
    if (this.running) return
    this.#stopping = false
    this.#exit = undefined
    this.startedAt = performance.now()
    // A group of its own: what the shell starts is ended with it. Its stdin stays open as long as the kit lives.
    const child = spawn(this.#command, { shell: true, detached: true, stdio: ['pipe', 'pipe', 'pipe'] })
    child.stdin.on('error', () => {})
    this.#child = child
    const keep = (chunk: Buffer): void => {
      this.#output = (this.#output + chunk.toString('utf8')).slice(-KEEP_CHARS)
    }
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    child.on('error', (error) => {
      this.#output += error.message
      this.#exit ??= { code: null, signal: null }
    })
    child.on('exit', (code, signal) => {
      if (this.#child === child) this.#exit ??= { code, signal }
    })
  }

  signal(name: NodeJS.Signals): void {
    const pid = this.#child?.pid
    if (!this.running || pid === undefined) return
    this.#stopping = true
    try {
      process.kill(-pid, name)
    } catch {
      // It has just ended, or the system knows no process groups.
      this.#child?.kill(name)
    }
  }

  /** How it ends, undefined when it does not within `timeout` ms. */
  async ended(timeout: number): Promise<Exit | undefined> {
    const child = this.#child
    if (child !== undefined && this.running) {
      await once(child, 'exit', { signal: AbortSignal.timeout(timeout) }).catch(() => undefined)
    }
    return this.#exit
  }

  /** SIGTERM, and SIGKILL when that is not enough. */
  async stop(): Promise<void> {
    if (!this.#stopping) this.signal('SIGTERM')
    if ((await this.ended(KILL_AFTER_MS)) !== undefined) return
    this.signal('SIGKILL')
    await this.ended(KILL_AFTER_MS)
  }
}
