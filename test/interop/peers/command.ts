import { spawn } from 'node:child_process'
import { constants, setPriority } from 'node:os'

/** Compiling the Rust router is the longest: 3 minutes on two cores. */
const LIMIT_MS = 10 * 60_000
/** Enough to see why an installation failed. */
const OUTPUT_CHARACTERS = 64 * 1024

export interface CommandResult {
  /** False also when there is no such command, or when it took too long. */
  readonly ok: boolean
  /** Both streams. */
  readonly output: string
}

/** Runs a command to its end, in ms at most `limit`. Never rejects. */
export function run(
  command: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>>; readonly limit?: number } = {},
): Promise<CommandResult> {
  const { cwd, env = {}, limit = LIMIT_MS } = options
  return new Promise((resolve) => {
    let output = ''
    const child = spawn(command, args, { cwd, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
    const timer = setTimeout(() => {
      output += `\nended after ${String(limit / 1000)} s`
      child.kill('SIGKILL')
    }, limit)
    const collect = (text: string): void => {
      output = (output + text).slice(-OUTPUT_CHARACTERS)
    }
    child.stdout.setEncoding('utf8').on('data', collect)
    child.stderr.setEncoding('utf8').on('data', collect)
    child.on('error', (error) => {
      clearTimeout(timer)
      resolve({ ok: false, output: error.message })
    })
    child.on('close', (code) => {
      clearTimeout(timer)
      resolve({ ok: code === 0, output })
    })
    // A compiler must not take the processor from the tests that run meanwhile; its own children inherit this.
    if (child.pid !== undefined) lowerPriority(child.pid)
  })
}

function lowerPriority(pid: number): void {
  try {
    setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL)
  } catch {
    // It has ended already, or the system has no such thing: only politeness is lost.
  }
}
