/** The commands' logger: pino behind the library's {@link Logger}, asynchronous, flushed at exit. */

import { pino, type DestinationStream, type Logger as PinoLogger } from 'pino'
import pretty from 'pino-pretty'
import { CrankerError } from '../protocol/errors.js'
import type { Logger } from '../protocol/logger.js'
import type { Flag } from './flags.js'
import { oneOf } from './values.js'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'
export type LogFormat = 'auto' | 'json' | 'pretty'

export const logFlags = {
  'log-level': {
    kind: 'value',
    group: 'Logging:',
    describe: 'Least important level that is logged: debug, info, warn, error or silent',
    default: 'info',
    parse: oneOf('debug', 'info', 'warn', 'error', 'silent'),
  },
  'log-format': {
    kind: 'value',
    group: 'Logging:',
    describe: 'json, pretty, or auto: pretty on a terminal, json otherwise',
    default: 'auto',
    parse: oneOf('auto', 'json', 'pretty'),
  },
  'trace-frames': {
    kind: 'switch',
    group: 'Logging:',
    describe: 'Print every message on tunnel sockets to stderr, one readable line each; secrets in heads are hidden',
  },
} satisfies Record<string, Flag>

/** One line on stderr: when, on which socket, what. The log goes to stdout. */
export function printFrame(line: string, socketID: string): void {
  process.stderr.write(`${new Date().toISOString()} socket ${socketID.slice(0, 8)} ${line}\n`)
}

export interface LogOptions {
  readonly level: LogLevel | undefined
  readonly format: LogFormat | undefined
}

export interface Log extends Logger {
  /** Writes what is buffered, now. */
  flush(): void
  /** Whether `info` lines are written: an access line that nobody sees need not be made. */
  readonly informs: boolean
}

/** Access lines of a busy router: one write for many. */
const BUFFER_BYTES = 4096
/** How old a buffered line may become. */
const FLUSH_INTERVAL_MS = 200

export function createLog(options: LogOptions): Log {
  const destination = destinationFor(options.format ?? 'auto')
  const logger = pino(
    {
      level: options.level ?? 'info',
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError, error: describeError, cause: describeError, duration: microseconds },
    },
    destination.stream,
  )
  return wrap(logger, destination.flush)
}

function wrap(logger: PinoLogger, flush: () => void): Log {
  return {
    debug: (fields, message) => {
      logger.debug(fields, message)
    },
    info: (fields, message) => {
      logger.info(fields, message)
    },
    warn: (fields, message) => {
      logger.warn(fields, message)
    },
    error: (fields, message) => {
      logger.error(fields, message)
    },
    flush,
    informs: logger.isLevelEnabled('info'),
  }
}

function destinationFor(format: LogFormat): { stream: DestinationStream; flush: () => void } {
  if (format === 'pretty' || (format === 'auto' && process.stdout.isTTY)) {
    const stream = pretty({ colorize: process.stdout.isTTY, ignore: 'pid,hostname', sync: true, destination: 1 })
    return { stream, flush: () => {} }
  }
  const stream = pino.destination({
    dest: 1,
    sync: false,
    minLength: BUFFER_BYTES,
    periodicFlush: FLUSH_INTERVAL_MS,
  })
  return {
    stream,
    flush: () => {
      stream.flushSync()
    },
  }
}

/** Milliseconds with the decimals that mean something. */
function microseconds(milliseconds: unknown): unknown {
  return typeof milliseconds === 'number' ? Math.round(milliseconds * 1000) / 1000 : milliseconds
}

/** Expected errors in one line's worth of fields; a stack only where the error is a bug. */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  if (error instanceof CrankerError && error.code !== 'CRANKER_ERR_INTERNAL') {
    return {
      code: error.code,
      message: error.message,
      initiator: error.initiator,
      ...(error.cause instanceof Error ? { cause: error.cause.message } : {}),
    }
  }
  return { type: error.name, message: error.message, code: (error as { code?: unknown }).code, stack: error.stack }
}
