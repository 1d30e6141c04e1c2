/** `cranker check router`: registers as a connector, and tests the router. */

import { CheckFailure } from '../check/case.js'
import { routerCases } from '../check/router/cases.js'
import { checkRouter } from '../check/router/index.js'
import {
  checkFlags,
  checkLike,
  checkReporter,
  checkVersions,
  DEFAULT_CHECK_TIMEOUT_MS,
  finishCheck,
} from './check-flags.js'
import type { CommandLine, Flag } from './flags.js'
import { readCommandLine, type Running } from './run.js'
import { UsageError } from './values.js'

const GROUP = 'Router:'

export const checkRouterFlags = {
  public: {
    kind: 'value',
    group: GROUP,
    describe: "URL of the router's public port, where the kit calls as a client: http:// or https://",
    parse: url('http:', 'https:'),
  },
  route: {
    kind: 'value',
    group: GROUP,
    describe: 'Every case registers a route of its own that begins with this, without slashes',
    default: 'check',
    parse: routePrefix,
  },
  insecure: { kind: 'switch', group: GROUP, describe: "Accept any certificate of the router's" },
  ...checkFlags,
} satisfies Record<string, Flag>

export function checkRouterLine(name: string): CommandLine<typeof checkRouterFlags> {
  return {
    name,
    summary:
      'Registers as a connector, calls the public port as a client, and tests the router against docs/protocol.md.',
    flags: checkRouterFlags,
    operands: { usage: 'URL', most: 1 },
    envPrefix: 'CRANKER_CHECK_ROUTER',
    examples: [
      [`${name} ws://localhost:8081 --public http://localhost:8080`, 'A router that listens already'],
      [`${name} ws://localhost:8081 --public http://localhost:8080 --only R5 --protocol 3.0`, 'Only what you work on'],
    ],
  }
}

export async function checkRouterCommand(
  name: string,
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<Running | undefined> {
  const given = await readCommandLine(checkRouterLine(name), argv, env)
  if (given === undefined) return undefined
  const { values, operands } = given
  const [registration] = operands
  if (registration === undefined) {
    throw new UsageError('say which router: the URL of its registration port, such as ws://localhost:8081')
  }
  if (values.public === undefined)
    throw new UsageError('--public is missing, for instance --public http://localhost:8080')
  const reporter = checkReporter(values.json)
  const interrupted = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interrupted.abort())
  try {
    await checkRouter(routerCases, {
      registration: registrationUrl(registration),
      public: values.public,
      route: values.route ?? 'check',
      insecure: values.insecure,
      only: values.only,
      versions: checkVersions(values.protocol),
      like: checkLike(values.like, 'router'),
      strict: values.strict,
      slow: values.slow,
      timeout: values.timeout ?? DEFAULT_CHECK_TIMEOUT_MS,
      reporter,
      signal: interrupted.signal,
    })
  } catch (error) {
    // Cases report their own failures: this is the very first contact.
    if (error instanceof CheckFailure) throw new Error(`cannot register at ${registration}: ${error.actual}`)
    throw error
  }
  finishCheck(reporter)
  return undefined
}

function registrationUrl(value: string): URL {
  try {
    return url('ws:', 'wss:')(value)
  } catch (error) {
    throw new UsageError(`"${value}": ${(error as Error).message}`)
  }
}

function url(...schemes: readonly string[]): (value: string) => URL {
  return (value) => {
    const parsed = URL.canParse(value) ? new URL(value) : undefined
    if (parsed !== undefined && schemes.includes(parsed.protocol)) return parsed
    throw new UsageError(`expected a URL that begins with ${schemes.map((scheme) => `${scheme}//`).join(' or ')}`)
  }
}

/** A part of a route name (docs/protocol.md, section 2.1) that further letters may follow. */
function routePrefix(value: string): string {
  if (!/^[a-zA-Z0-9_-]+$/.test(value)) throw new UsageError('expected letters, digits, _ and -')
  return value
}
