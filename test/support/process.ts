import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { bin } from './built.js'

export interface ProcessOptions {
  readonly cwd?: string
  /** Besides PATH. */
  readonly env?: Readonly<Record<string, string>>
  /** It leads a process group of its own, as in a terminal. */
  readonly detached?: boolean
}

/** A program that runs beside the test, and what it prints. */
export class RunningProcess {
  readonly child: ChildProcess
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
  stdout = ''
  stderr = ''
  readonly #leads: boolean
  readonly #wake = new Set<() => void>()

  constructor(command: string, args: readonly string[], { env, ...options }: ProcessOptions = {}) {
    this.#leads = options.detached === true
    this.child = spawn(command, args, {
      ...options,
      env: { PATH: process.env['PATH'], ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text
      this.#notify()
    })
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text
      this.#notify()
    })
    this.exited = once(this.child, 'close').then(([code, signal]) => {
      this.#notify()
      return { code: code as number | null, signal: signal as NodeJS.Signals | null }
    })
  }

  /** The log lines so far. */
  get lines(): readonly Record<string, unknown>[] {
    return this.stdout
      .split('\n')
      .slice(0, -1)
      .flatMap((line) => (line.startsWith('{') ? [JSON.parse(line) as Record<string, unknown>] : []))
  }

  /** Resolves with the first log line whose `msg` is this. */
  async logged(message: string, matches: (line: Record<string, unknown>) => boolean = () => true) {
    return this.until(() => this.lines.find((line) => line['msg'] === message && matches(line)), `"${message}"`)
  }

  /** Resolves once the output makes `find` return something. */
  async until<T>(find: () => T | undefined, what: string): Promise<T> {
    for (;;) {
      const found = find()
      if (found !== undefined) return found
      if (this.child.exitCode !== null || this.child.signalCode !== null) {
        throw new Error(`exited before ${what} was printed\n${this.stdout}\n${this.stderr}`)
      }
      await new Promise<void>((resolve) => this.#wake.add(resolve))
    }
  }

  /** As Ctrl-C does, to the whole group if it leads one. */
  kill(signal: NodeJS.Signals): void {
    const { pid } = this.child
    if (this.#leads && pid !== undefined) process.kill(-pid, signal)
    else this.child.kill(signal)
  }

  /** Ends it, if it still runs. */
  async dispose(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.kill('SIGKILL')
    await this.exited
  }

  #notify(): void {
    const waiting = [...this.#wake]
    this.#wake.clear()
    for (const wake of waiting) wake()
  }
}

/** One of our commands, as an operator runs it. */
export class RunningCommand extends RunningProcess {
  constructor(name: Parameters<typeof bin>[0], args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    super(process.execPath, [bin(name), ...args], { env })
  }
}
