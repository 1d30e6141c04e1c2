/** What the commands have in common: one clear line for an error, exit codes, signals. */

import { readFileSync } from 'node:fs'
import { CrankerError } from '../protocol/errors.js'
import { parseCommandLine, type CommandLine, type Flags, type FlagValues } from './flags.js'
import type { Log } from './logging.js'
import { UsageError } from './values.js'

/** A command: it returns when there is nothing left to do but to wait for a signal, or nothing at all. */
export type Command = (argv: readonly string[], env: NodeJS.ProcessEnv) => Promise<Running | undefined>

/** A started command. */
export interface Running {
  readonly log: Log
  /** Finishes what runs, within `drainTimeout` milliseconds. */
  close(): Promise<void>
  readonly drainTimeout: number
  /** Takes over what has changed, on SIGHUP. Undefined: there is nothing that could, and SIGHUP ends the process. */
  readonly reload?: (() => void) | undefined
  /** Says that it runs: last, because whoever reads it may send a signal at once. */
  announce(): void
}

/** A flag or option that cannot be used. */
const EXIT_USAGE = 2
/** Everything else that went wrong. */
const EXIT_FAILURE = 1
/** After the drain timeout `close()` only has sockets to close; should that hang, the process ends all the same. */
const CLOSE_GRACE_MS = 10_000

/** Ctrl-C under `npm start` arrives twice, from the terminal and from npm: that is one wish, not two. */
const ECHO_MS = 500

export function version(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}

/** The values of a command line; undefined when help or the version was asked for, and printed. */
export async function readFlags<F extends Flags>(
  line: CommandLine<F>,
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<FlagValues<F> | undefined> {
  return (await readCommandLine(line, argv, env))?.values
}

/** The same for a command with operands. */
export async function readCommandLine<F extends Flags>(
  line: CommandLine<F>,
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<{ readonly values: FlagValues<F>; readonly operands: readonly string[] } | undefined> {
  const parsed = await parseCommandLine(line, argv, env)
  if (parsed.kind === 'values') return parsed
  process.stdout.write(`${parsed.kind === 'help' ? parsed.text : version()}\n`)
  return undefined
}

/** Runs a command as this process. The only place that exits. */
export async function main(name: string, command: Command): Promise<void> {
  try {
    const running = await command(process.argv.slice(2), process.env)
    if (running === undefined) return
    untilSignal(running)
    running.announce()
  } catch (error) {
    const usage = isUsageError(error)
    const hint = usage ? ` Try ${name} --help.` : ''
    process.stderr.write(`${name}: ${usage ? inFlagNames(sentence(error)) : sentence(error)}${hint}\n`)
    process.exit(usage ? EXIT_USAGE : EXIT_FAILURE)
  }
}

/** Options whose flag is not their name in kebab case. */
const FLAG_OF_OPTION: Readonly<Record<string, string>> = {
  routers: 'router',
  routes: 'route',
  protocols: 'protocol',
  registrationHeaders: 'registration-header',
  forwardHost: 'no-forward-host',
  http2: 'no-http2',
  tls: 'tls-cert',
  registrationTls: 'registration-tls-cert',
}

/** The library names its options in backquotes; who typed `--max-head-size` should read that. */
function inFlagNames(message: string): string {
  return message.replace(/`([a-z]+[0-9]?(?:[A-Z][a-z]*)*)`/g, (_, option: string) => {
    const flag = FLAG_OF_OPTION[option] ?? option.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
    return `--${flag}`
  })
}

function isUsageError(error: unknown): boolean {
  return error instanceof UsageError || (error instanceof CrankerError && error.code === 'CRANKER_ERR_OPTION')
}

/** The message on one line, ending in one full stop. */
function sentence(error: unknown): string {
  const message = (error instanceof Error ? error.message : String(error)).replace(/\s+/g, ' ').trim()
  return /[.!?]$/.test(message) ? message : `${message}.`
}

function untilSignal(running: Running): void {
  let first: { readonly signal: NodeJS.Signals; readonly at: number } | undefined
  const onSignal = (signal: NodeJS.Signals): void => {
    if (first !== undefined) {
      if (signal === first.signal && performance.now() - first.at < ECHO_MS) return
      running.log.warn({ signal }, 'second signal: stopping at once')
      running.log.flush()
      process.exit(EXIT_FAILURE)
    }
    first = { signal, at: performance.now() }
    running.log.info({ signal, drainTimeout: running.drainTimeout }, 'stopping: finishing what runs')
    running.log.flush()
    void stop(running)
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  const { reload } = running
  if (reload !== undefined) process.on('SIGHUP', reload)
}

async function stop(running: Running): Promise<void> {
  const overdue = setTimeout(() => {
    running.log.error({}, 'closing takes too long: stopping at once')
    running.log.flush()
    process.exit(EXIT_FAILURE)
  }, running.drainTimeout + CLOSE_GRACE_MS)
  try {
    await running.close()
    running.log.info({}, 'stopped')
  } catch (err) {
    running.log.error({ err }, 'closing failed')
    process.exitCode = EXIT_FAILURE
  }
  clearTimeout(overdue)
  running.log.flush()
  process.exit()
}
