/** Turns the text of a flag or environment variable into a value, or says what was expected. */

import { readFileSync } from 'node:fs'

/** A command line that cannot be carried out: printed as one line, exit status 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

const MILLISECONDS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const BYTES = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 } as const

function withUnit(text: string, units: Readonly<Record<string, number>>, expected: string): number {
  const [, digits, unit = ''] = /^(\d+(?:\.\d+)?)\s*([a-zA-Z]*)$/.exec(text) ?? []
  if (digits === undefined) throw new UsageError(`expected ${expected}`)
  if (unit === '' && Number(digits) === 0) return 0
  const factor = Object.hasOwn(units, unit) ? units[unit] : undefined
  if (factor === undefined) throw new UsageError(`expected ${expected}`)
  const value = Math.round(Number(digits) * factor)
  if (!Number.isSafeInteger(value)) throw new UsageError('the number is too large')
  return value
}

/** `500ms`, `5s`, `5m`, `2h`, `1d` → milliseconds. A bare number is refused: nobody can know what it means. */
export function duration(text: string): number {
  return withUnit(text, MILLISECONDS, 'a duration with its unit, such as 500ms, 5s, 5m or 2h')
}

/** `512B`, `64KiB`, `1MiB` → bytes. */
export function size(text: string): number {
  return withUnit(text, BYTES, 'a size with its unit, such as 64KiB or 1MiB')
}

/** As a user would write it: 300000 → `5m`. */
export function durationText(milliseconds: number): string {
  return inLargestUnit(milliseconds, MILLISECONDS)
}

/** 65536 → `64KiB`. */
export function sizeText(bytes: number): string {
  return inLargestUnit(bytes, BYTES)
}

function inLargestUnit(value: number, units: Readonly<Record<string, number>>): string {
  const [unit, factor] = Object.entries(units).findLast(([, candidate]) => value % candidate === 0) ?? ['', 1]
  return `${String(value / factor)}${unit}`
}

/** A whole number from `least`. */
export function count(least = 1): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < least) {
      throw new UsageError(`expected a whole number of at least ${String(least)}`)
    }
    return value
  }
}

export function port(text: string): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value > 65_535) {
    throw new UsageError('expected a port number from 0 (any free port) to 65535')
  }
  return value
}

/** Any text but none at all. */
export function text(value: string): string {
  return value
}

/** One of the given words. */
export function oneOf<const T extends string>(...words: readonly T[]): (value: string) => T {
  return (value) => {
    const word = words.find((candidate) => candidate === value)
    if (word === undefined) throw new UsageError(`expected ${alternatives(words)}`)
    return word
  }
}

function alternatives(words: readonly string[]): string {
  return words.length === 1 ? String(words[0]) : `${words.slice(0, -1).join(', ')} or ${String(words.at(-1))}`
}

/** The parts of every occurrence, which may hold several with commas between them. */
export function commaSeparated(occurrences: readonly string[]): string[] {
  return occurrences
    .flatMap((occurrence) => occurrence.split(','))
    .map((part) => part.trim())
    .filter((part) => part !== '')
}

/** `name:value`; the value may hold colons and commas. */
export function header(value: string): readonly [name: string, value: string] {
  const [, name, rest] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*)$/.exec(value) ?? []
  if (name === undefined || rest === undefined) throw new UsageError('expected name:value')
  return [name, rest.trimEnd()]
}

/** The content of a PEM file. */
export function pemFile(path: string): Buffer {
  let content: Buffer
  try {
    content = readFileSync(path)
  } catch (error) {
    throw new UsageError(`cannot read the file: ${(error as NodeJS.ErrnoException).code ?? String(error)}`)
  }
  if (!content.includes('-----BEGIN ')) throw new UsageError('the file holds no PEM block ("-----BEGIN …-----")')
  return content
}

/** The path of a PEM file, which is read again when it changes. */
export function pemPath(path: string): string {
  pemFile(path)
  return path
}
