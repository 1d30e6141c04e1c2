/** Checks of single option values, with messages that say what to write. */
import { validateHeaderName, validateHeaderValue } from 'node:http'
import { createSecureContext } from 'node:tls'
import { CrankerError } from '../protocol/errors.js'
import type { RawHeaders } from '../protocol/head.js'
import { ALL_VERSIONS } from '../protocol/negotiate.js'
import type { ProtocolVersion } from '../protocol/session.js'

/** Registrations carry these themselves, or RFC 6455 does. */
const RESERVED_HEADERS: ReadonlySet<string> = new Set([
  'route',
  'domain',
  'crankerprotocol',
  'cranker-extensions',
  'host',
  'connection',
  'upgrade',
  'content-length',
  'transfer-encoding',
])

/** Protocol versions in the order of preference, each once. */
export function versions(option: string, given: readonly ProtocolVersion[]): readonly ProtocolVersion[] {
  const known = ALL_VERSIONS.filter((version) => given.includes(version))
  const distinct = new Set(given)
  if (distinct.size > 0 && distinct.size === known.length) return [...distinct]
  throw invalid(`\`${option}\` must list 3.0, 1.0 or both, in the order of preference; not "${String(given)}"`)
}

/** Header lines as one flat list; only what a registration may carry. */
export function headers(option: string, given: Readonly<Record<string, string>>): RawHeaders {
  const flat: string[] = []
  for (const [name, value] of Object.entries(given)) {
    const key = name.toLowerCase()
    if (RESERVED_HEADERS.has(key) || key.startsWith('sec-websocket-')) {
      throw invalid(`\`${option}\`: "${name}" is set by the connector itself`)
    }
    try {
      validateHeaderName(name)
      validateHeaderValue(name, value)
    } catch (cause) {
      throw invalid(`\`${option}\`: "${name}" is no valid header`, cause)
    }
    flat.push(name, value)
  }
  return flat
}

type Certificates = string | Buffer | readonly (string | Buffer)[] | undefined

/** Checked here, because a bad one would only show, and throw, when a socket is opened. */
export function certificates(option: string, given: Certificates): Certificates {
  for (const pem of given === undefined ? [] : [given].flat()) {
    if (!String(pem).includes('-----BEGIN CERTIFICATE-----')) throw invalid(`\`${option}\` holds no PEM certificate`)
    try {
      createSecureContext({ ca: pem })
    } catch (cause) {
      throw invalid(`\`${option}\` holds a certificate that cannot be read`, cause)
    }
  }
  return given
}

export function integer(name: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw invalid(`\`${name}\` must be an integer from ${String(least)} to ${String(most)}, not ${String(value)}`)
}

export function text(name: string, value: string): string {
  if (typeof value === 'string' && /^[\x20-\x7e]{1,200}$/.test(value)) return value
  throw invalid(`\`${name}\` must be 1 to 200 printable ASCII characters`)
}

export function callback<T>(name: string, given: T | undefined): T | undefined {
  if (given === undefined || typeof given === 'function') return given
  throw invalid(`\`${name}\` must be a function`)
}

/** CRANKER_ERR_OPTION; the message names the option and says what to write. */
export function invalid(message: string, cause?: unknown): CrankerError {
  return new CrankerError('CRANKER_ERR_OPTION', message, { initiator: 'caller', delivered: 'no', cause })
}
