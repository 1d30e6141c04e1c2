/**
 * One table of flags gives the command line, the environment variables, the help text and the typed values. yargs
 * splits the arguments and lays out the help; what a value means is decided here, so that a bad one is told with the
 * name under which it was given.
 */

import yargs from 'yargs'
import { commaSeparated, UsageError } from './values.js'

interface FlagBase {
  /** Heading in the help text. */
  readonly group: string
  /** The words of the option's docstring. */
  readonly describe: string
}

/** How often a flag may be given, and how its values are written. */
export type Flag<T = unknown> = FlagBase &
  (
    | { readonly kind: 'value'; readonly default?: string; readonly parse: (text: string) => T }
    | { readonly kind: 'switch' }
    | { readonly kind: 'list'; readonly default?: string; readonly parse: (text: string) => T }
    | { readonly kind: 'lines'; readonly default?: string; readonly parse: (text: string) => T }
  )

/** What a flag yields: `list` may be repeated and comma-separated, `lines` only repeated (in the environment: lines). */
export type FlagValue<F> = F extends { kind: 'switch' }
  ? boolean
  : F extends { kind: 'list' | 'lines'; parse: (text: string) => infer T }
    ? readonly T[] | undefined
    : F extends { kind: 'value'; parse: (text: string) => infer T }
      ? T | undefined
      : never

export type Flags = Readonly<Record<string, Flag>>
export type FlagValues<F extends Flags> = { readonly [K in keyof F]: FlagValue<F[K]> }

export interface CommandLine<F extends Flags> {
  /** As typed: `cranker-router` or `cranker router`. */
  readonly name: string
  readonly summary: string
  readonly flags: F
  /** What stands beside the flags; none by default. */
  readonly operands?: Operands
  readonly examples: readonly (readonly [command: string, meaning: string])[]
  /** Every flag is also an environment variable: `PREFIX_FLAG_NAME`. */
  readonly envPrefix: string
}

export interface Operands {
  /** For the usage line: `[FILE]`. */
  readonly usage: string
  readonly most: number
}

export type Parsed<F extends Flags> =
  | { readonly kind: 'help'; readonly text: string }
  | { readonly kind: 'version' }
  | { readonly kind: 'values'; readonly values: FlagValues<F>; readonly operands: readonly string[] }

/** `max-head-size` → `CRANKER_ROUTER_MAX_HEAD_SIZE`. */
export function envName(prefix: string, flag: string): string {
  return `${prefix}_${flag.replaceAll('-', '_').toUpperCase()}`
}

/** @throws UsageError naming the flag or variable, the value and what was expected */
export async function parseCommandLine<F extends Flags>(
  line: CommandLine<F>,
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<Parsed<F>> {
  const parser = yargsFor(line)
  const given = (await parser.parse([...argv])) as Readonly<Record<string, unknown>>
  if (given['help'] === true) return { kind: 'help', text: await parser.getHelp() }
  if (given['version'] === true) return { kind: 'version' }
  const operands = (given['_'] as readonly (string | number)[]).map(String)
  const surplus = operands[line.operands?.most ?? 0]
  if (surplus !== undefined) throw new UsageError(`unexpected argument "${surplus}"`)

  const values: Record<string, unknown> = {}
  for (const [name, flag] of Object.entries(line.flags)) {
    const raw = given[name]
    values[name] =
      raw === undefined
        ? fromEnvironment(envName(line.envPrefix, name), flag, env)
        : fromArguments(`--${name}`, flag, [raw].flat())
  }
  return { kind: 'values', values: values as FlagValues<F>, operands }
}

function yargsFor(line: CommandLine<Flags>) {
  let parser = yargs()
    .scriptName(line.name)
    .usage(`${line.summary}\n\nUsage: $0 [flags]${line.operands === undefined ? '' : ` ${line.operands.usage}`}`)
    .parserConfiguration({
      'boolean-negation': false,
      'camel-case-expansion': false,
      'dot-notation': false,
      'duplicate-arguments-array': true,
      'greedy-arrays': false,
      'parse-numbers': false,
      'parse-positional-numbers': false,
    })
    .strictOptions()
    .exitProcess(false)
    .locale('en')
    .wrap(Math.min(100, Math.max(60, process.stdout.isTTY ? process.stdout.columns : 100)))
    .version(false)
    .help(false)
    .fail((message: string | undefined, error: Error | undefined) => {
      throw new UsageError(unknownFlag(message, line.flags) ?? error?.message ?? 'the arguments cannot be read')
    })
  for (const [name, flag] of Object.entries(line.flags)) {
    parser = parser.option(name, {
      group: flag.group,
      describe: flag.describe,
      // Without a type a value stays the text it is, and the help does not say "[string]" on every line.
      ...(flag.kind === 'switch' ? { type: 'boolean' as const } : {}),
      ...(flag.kind !== 'switch' && flag.default !== undefined ? { defaultDescription: flag.default } : {}),
    })
  }
  return parser
    .option('help', { group: 'Other:', type: 'boolean', describe: 'Show this text' })
    .option('version', { group: 'Other:', type: 'boolean', describe: 'Show the version' })
    .epilogue(
      `Examples:\n\n${line.examples.map(([command, meaning]) => `  # ${meaning}\n  ${command}\n`).join('\n')}\n` +
        `Every flag can be an environment variable: ${exampleVariable(line)}. Flags win.\n` +
        'Durations are written 500ms, 5s, 5m, 2h; sizes 64KiB, 1MiB.',
    )
}

function exampleVariable(line: CommandLine<Flags>): string {
  const name = Object.keys(line.flags)[0] ?? 'port'
  return `--${name} is ${envName(line.envPrefix, name)}`
}

/** yargs says "Unknown argument: prot"; a flag that looks alike is worth more than a list of all. */
function unknownFlag(message: string | undefined, flags: Flags): string | undefined {
  const name = /^Unknown arguments?: ([^,]+)/.exec(message ?? '')?.[1]
  if (name === undefined) return message
  const alike = Object.keys(flags)
    .map((candidate) => ({ candidate, distance: editDistance(name, candidate) }))
    .sort((a, b) => a.distance - b.distance)[0]
  const hint = alike !== undefined && alike.distance <= 2 ? ` (did you mean --${alike.candidate}?)` : ''
  return `unknown flag --${name}${hint}`
}

function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      const substitution = (row[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1)
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, substitution))
    }
    row = next
  }
  return row[b.length] ?? 0
}

function fromArguments(label: string, flag: Flag, occurrences: readonly unknown[]): unknown {
  if (flag.kind === 'switch') return occurrences.at(-1) === true
  // A flag at the end of the line, or before another flag, is `true` to yargs.
  if (occurrences.some((value) => value === '' || value === true)) throw new UsageError(`${label} needs a value`)
  return fromTexts(label, flag, occurrences.map(String))
}

function fromEnvironment(name: string, flag: Flag, env: Readonly<Record<string, string | undefined>>): unknown {
  const value = env[name]?.trim()
  if (value === undefined || value === '' || isServiceLink(value, flag))
    return flag.kind === 'switch' ? false : undefined
  if (flag.kind !== 'switch') return fromTexts(name, flag, flag.kind === 'lines' ? value.split(/\r?\n/) : [value])
  if (value === 'true' || value === '1') return true
  if (value === 'false' || value === '0') return false
  throw new UsageError(`${name}: "${value}": expected true or false`)
}

/**
 * Kubernetes gives every container `CRANKER_ROUTER_PORT=tcp://10.0.0.1:8080` when a service is called
 * "cranker-router". That is its word about another process, not our flag.
 */
function isServiceLink(value: string, flag: Flag): boolean {
  return flag.kind === 'value' && /^(?:tcp|udp|sctp):\/\//.test(value)
}

function fromTexts(label: string, flag: Exclude<Flag, { kind: 'switch' }>, texts: readonly string[]): unknown {
  const parse = (text: string): unknown => {
    try {
      return flag.parse(text)
    } catch (error) {
      if (error instanceof UsageError) throw new UsageError(`${label}: "${text}": ${error.message}`)
      throw error
    }
  }
  switch (flag.kind) {
    case 'list':
      return commaSeparated(texts).map(parse)
    case 'lines':
      return texts.filter((text) => text.trim() !== '').map(parse)
    case 'value': {
      const [only, second] = texts
      if (second !== undefined) throw new UsageError(`${label} was given more than once`)
      return parse(String(only))
    }
  }
}
