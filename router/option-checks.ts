import { isIP, isIPv4 } from 'node:net'
import { CrankerError } from '../protocol/errors.js'
import { isToken } from '../protocol/token.js'
import type { TlsSource } from './options.js'
import { Certificates } from './tls/certificates.js'

/** setTimeout's largest delay; larger ones would fire at once. */
const MAX_MS = 2 ** 31 - 1

/** The error that every bad option ends in: which, what was given, what would do. */
export function badOption(name: string, value: unknown, expected: string): CrankerError {
  return new CrankerError('CRANKER_ERR_OPTION', `Option \`${name}\` is ${shown(value)}, but must be ${expected}.`, {
    initiator: 'caller',
    delivered: 'no',
  })
}

function shown(value: unknown): string {
  if (typeof value === 'string') return `'${value.length > 80 ? `${value.slice(0, 77)}…` : value}'`
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'an array' : 'an object'
  return String(value)
}

/** A port to listen on; 0 lets the system choose. */
export function port(name: string, value: unknown): number {
  if (!Number.isInteger(value) || (value as number) < 0 || (value as number) > 65_535) {
    throw badOption(name, value, 'a port number, 0 to 65535 (0 picks a free one)')
  }
  return value as number
}

/** An address or name to listen on. */
export function host(name: string, value: unknown): string {
  if (typeof value !== 'string' || value === '' || /[\s/]/.test(value)) {
    throw badOption(name, value, 'an address or host name to listen on, for instance 127.0.0.1 or 0.0.0.0')
  }
  return value
}

/** A time in milliseconds. */
export function time(name: string, value: unknown, least: number): number {
  if (typeof value !== 'number' || !(value >= least && value <= MAX_MS)) {
    throw badOption(name, value, `a number of milliseconds, ${least} to ${MAX_MS}`)
  }
  return value
}

/** A number of things or of bytes. */
export function count(name: string, value: unknown, least: number, most: number = Number.MAX_SAFE_INTEGER): number {
  if (!Number.isInteger(value) || (value as number) < least || (value as number) > most) {
    const range =
      most === Number.MAX_SAFE_INTEGER ? `a whole number, at least ${least}` : `a whole number, ${least} to ${most}`
    throw badOption(name, value, range)
  }
  return value as number
}

export function flag(name: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw badOption(name, value, 'true or false')
  return value
}

/** A pseudonym for `Via`: a token (RFC 9110 §7.6.3). */
export function token(name: string, value: unknown): string {
  if (typeof value !== 'string' || !isToken(value)) {
    throw badOption(name, value, "a token (RFC 9110 §5.6.2): letters, digits and !#$%&'*+-.^_`|~")
  }
  return value
}

export function oneOrMore<T extends string>(name: string, value: unknown, allowed: readonly T[]): readonly T[] {
  const ok = Array.isArray(value) && value.length > 0 && value.every((each) => allowed.includes(each as T))
  if (!ok)
    throw badOption(
      name,
      Array.isArray(value) ? value.join(',') : value,
      `a list of one or more of ${allowed.join(', ')}`,
    )
  return [...new Set(value as T[])]
}

/** Networks in CIDR notation, or single addresses. */
export function networks(name: string, value: unknown): readonly string[] {
  if (!Array.isArray(value)) throw badOption(name, value, 'a list of networks')
  for (const each of value as unknown[]) {
    if (typeof each !== 'string' || !isNetwork(each)) {
      throw badOption(name, each, 'an address or a network in CIDR notation, for instance 10.0.0.0/8 or ::1')
    }
  }
  return [...(value as string[])]
}

function isNetwork(text: string): boolean {
  const slash = text.indexOf('/')
  if (slash === -1) return isIP(text) !== 0
  const address = text.slice(0, slash)
  const prefix = text.slice(slash + 1)
  if (isIP(address) === 0 || !/^\d{1,3}$/.test(prefix)) return false
  return Number(prefix) <= (isIPv4(address) ? 32 : 128)
}

/** One or more certificates, each with the key that belongs to it. */
export function tls(name: string, value: unknown): readonly TlsSource[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  if (list.length === 0) throw badOption(name, value, 'at least one certificate with its key')
  const sources = list.map((each) => tlsSource(name, each))
  try {
    new Certificates(sources)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new CrankerError('CRANKER_ERR_OPTION', `Option \`${name}\`: ${why}`, {
      initiator: 'caller',
      delivered: 'no',
      cause,
    })
  }
  return sources
}

function tlsSource(name: string, value: unknown): TlsSource {
  const given = value as Partial<Record<'cert' | 'key' | 'certFile' | 'keyFile', unknown>> | null
  if (typeof given === 'object' && given !== null) {
    const { cert, key, certFile, keyFile } = given
    if (isPem(cert) && isPem(key)) return { cert, key }
    if (typeof certFile === 'string' && typeof keyFile === 'string') return { certFile, keyFile }
  }
  throw badOption(
    name,
    value,
    'an object with `cert` and `key`, both PEM, or with `certFile` and `keyFile`, both paths',
  )
}

function isPem(value: unknown): value is string | Buffer {
  return typeof value === 'string' || Buffer.isBuffer(value)
}
