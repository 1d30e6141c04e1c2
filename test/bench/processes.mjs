/** The processes of one measurement: started together, measured through /proc (Linux), ended together. */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { get } from 'node:http'
import { get as getTls } from 'node:https'
import { createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

const READY_MS = 20_000

/** Clock ticks per second in /proc/PID/stat. */
const TICKS = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))

/** Files that a process may open. Node and nginx raise theirs to this by themselves. */
export const openFiles = Number(execFileSync('sh', ['-c', 'ulimit -H -n'], { encoding: 'utf8' })) || Infinity

export class Processes {
  /** @type {import('node:child_process').ChildProcess[]} */
  #children = []

  /**
   * Starts a process that lives until `stop()`. Ends the bench when it ends before.
   * @param {string} command
   * @param {readonly (string | number)[]} args
   * @returns {number} its id
   */
  start(command, args) {
    const child = spawn(command, args.map(String), { stdio: ['ignore', 'ignore', 'pipe'] })
    let complaint = ''
    child.stderr.on('data', (chunk) => (complaint = (complaint + chunk).slice(-2000)))
    child.on('error', (error) => (complaint += error.message))
    child.on('close', (code, signal) => {
      if (!this.#children.includes(child)) return
      process.stderr.write(`bench: ${command} ${args.join(' ')} ended early (${code ?? signal}): ${complaint}\n`)
      process.exitCode = 1
    })
    this.#children.push(child)
    if (child.pid === undefined) throw new Error(`cannot start ${command}`)
    return child.pid
  }

  async stop() {
    const children = this.#children
    this.#children = []
    await Promise.all(
      children.map(async (child) => {
        if (child.exitCode !== null || child.signalCode !== null) return
        const gone = once(child, 'close')
        child.kill('SIGKILL')
        await gone
      }),
    )
  }
}

/**
 * CPU time used so far, user and system, in seconds.
 * @param {readonly number[]} pids
 */
export function cpuSeconds(pids) {
  let ticks = 0
  for (const pid of pids) {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The command's name is in parentheses and may hold anything; utime and stime are fields 14 and 15.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    ticks += Number(fields[11]) + Number(fields[12])
  }
  return ticks / TICKS
}

/**
 * Resident memory, in KiB.
 * @param {readonly number[]} pids
 */
export function rssKiB(pids) {
  let sum = 0
  for (const pid of pids) sum += Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
  return sum
}

/** A port of 127.0.0.1 that is free now. */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  server.close()
  await once(server, 'close')
  return port
}

/**
 * Resolves when a GET is answered with 200.
 * @param {number} port
 */
export async function ready(port, { tls = false } = {}) {
  const options = { host: '127.0.0.1', port, agent: false, rejectUnauthorized: false }
  await answers(port, async () => {
    const request = (tls ? getTls : get)(options)
    request.setTimeout(1_000, () => request.destroy())
    const [response] = await once(request, 'response')
    response.resume()
    return response.statusCode
  })
}

/**
 * Resolves when `ask` does with 200.
 * @param {number} port
 * @param {() => Promise<unknown>} ask
 */
export async function answers(port, ask) {
  const deadline = Date.now() + READY_MS
  for (;;) {
    const status = await ask().catch((error) => error.message)
    if (status === 200) return
    if (Date.now() > deadline) throw new Error(`nothing answers 200 on port ${port}: ${status}`)
    await sleep(50)
  }
}

/** @param {string} command */
export function installed(command) {
  for (const name of [command, `/usr/sbin/${command}`]) {
    try {
      execFileSync('sh', ['-c', `command -v ${name}`], { stdio: 'ignore' })
      return name
    } catch {
      // The next one, if any.
    }
  }
  return undefined
}
