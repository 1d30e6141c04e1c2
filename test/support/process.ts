import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { bin } from './built.js'

/** A command in a process of its own, as an operator runs it. */
export class RunningCommand {
  readonly child: ChildProcess
  readonly exited: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
  stdout = ''
  stderr = ''
  readonly #wake = new Set<() => void>()

  constructor(name: Parameters<typeof bin>[0], args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.child = spawn(process.execPath, [bin(name), ...args], {
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

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  /** Ends it, if it still runs. */
  async dispose(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGKILL')
    await this.exited
  }

  #notify(): void {
    const waiting = [...this.#wake]
    this.#wake.clear()
    for (const wake of waiting) wake()
  }
}
