import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { once } from 'node:events'
import type { Readable, Writable } from 'node:stream'

/** A Java program on a busy machine takes seconds. */
const START_LIMIT_MS = 60_000
/** Longer than each program's own limit for what still runs. */
const STOP_LIMIT_MS = 20_000
const OUTPUT_CHARACTERS = 256 * 1024

// A worker whose test runner was killed would go on, and keep the stdin of its programs open.
process.once('disconnect', () => process.exit(1))

/** The command line of a program, with everything that is an argument of the interpreter. */
export type CommandLine = readonly [command: string, ...args: string[]]

/**
 * A foreign program in a process of its own. It prints one line of JSON when it is ready, and ends on SIGTERM or when
 * its stdin ends: so it ends too when the test run is killed.
 */
export class Program {
  readonly #name: string
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #exited: Promise<void>
  #output = ''

  private constructor(name: string, [command, ...args]: CommandLine) {
    this.#name = name
    this.#child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#exited = once(this.#child, 'close').then(() => undefined)
    // Its end is noticed by 'close'; a pipe that breaks before says nothing more.
    this.#child.stdin.on('error', () => undefined)
    const collect = (text: string): void => {
      this.#output = (this.#output + text).slice(-OUTPUT_CHARACTERS)
    }
    this.#child.stdout.setEncoding('utf8').on('data', collect)
    this.#child.stderr.setEncoding('utf8').on('data', collect)
  }

  /** Starts it with `name=value` arguments; resolves with what it said when it was ready. */
  static async start(
    name: string,
    line: CommandLine,
    options: Readonly<Record<string, string | number | undefined>>,
  ): Promise<{ readonly program: Program; readonly ready: Readonly<Record<string, unknown>> }> {
    const args = Object.entries(options).flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${value}`]))
    const program = new Program(name, [line[0], ...line.slice(1), ...args])
    try {
      return { program, ready: await program.#ready() }
    } catch (error) {
      program.#child.kill('SIGKILL')
      throw error
    }
  }

  /** The last of what it printed. */
  get output(): string {
    return this.#output
  }

  /** Asks it to end and waits until it has; one that does not end in time is killed, and that is an error. */
  async stop(): Promise<void> {
    this.#child.kill('SIGTERM')
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_LIMIT_MS)
    await this.#exited
    clearTimeout(timer)
    if (this.#child.signalCode === 'SIGKILL') {
      throw new Error(`${this.#name} did not end ${STOP_LIMIT_MS / 1000} s after SIGTERM\n${this.#output}`)
    }
  }

  #ready(): Promise<Readonly<Record<string, unknown>>> {
    return new Promise((resolve, reject) => {
      const { stdout } = this.#child
      const fail = (what: string): void => {
        clearTimeout(timer)
        reject(new Error(`${this.#name} ${what}\n${this.#output}`))
      }
      const timer = setTimeout(() => {
        fail(`was not ready after ${String(START_LIMIT_MS / 1000)} s`)
      }, START_LIMIT_MS)
      this.#child.on('error', (error) => {
        fail(`could not be started: ${error.message}`)
      })
      this.#child.on('close', (code, signal) => {
        fail(`ended before it was ready (${String(code ?? signal)})`)
      })
      let printed = ''
      stdout.on('data', function look(text: string) {
        printed += text
        const line = /^\{.*\}$/m.exec(printed)?.[0]
        if (line === undefined) return
        clearTimeout(timer)
        stdout.off('data', look)
        resolve(JSON.parse(line) as Record<string, unknown>)
      })
    })
  }
}
