/** `cranker check`: tests a foreign router or connector against docs/protocol.md. */

import { connectorCases } from '../check/connector/cases.js'
import { checkConnector } from '../check/connector/index.js'
import {
  checkFlags,
  checkLike,
  checkOnly,
  checkReporter,
  checkVersions,
  DEFAULT_CHECK_TIMEOUT_MS,
  finishCheck,
} from './check-flags.js'
import { checkRouterCommand } from './check-router-command.js'
import type { CommandLine, Flag } from './flags.js'
import { readFlags, type Running } from './run.js'
import { duration, port, text, UsageError } from './values.js'

const HELP = `Tests a router or a connector, in whatever language it is written, against docs/protocol.md.

Usage: cranker check connector [flags]
       cranker check router URL [flags]

  cranker check connector   listens as a router, and tests the connector that registers
  cranker check router      registers as a connector, and tests the router at URL

Each has its own --help. Exit status: 0 all passed, 1 something failed, 2 the command line cannot be used.`

const GROUP = 'Connector:'
const DEFAULT_WAIT_MS = 300_000

export const checkConnectorFlags = {
  route: {
    kind: 'value',
    group: GROUP,
    describe: 'The route that the connector registers',
    default: 'check',
    parse: text,
  },
  exec: {
    kind: 'value',
    group: GROUP,
    describe:
      'Starts the connector: a command with {router}, {target} and {route} in it. Without it, start it yourself',
    parse: text,
  },
  host: { kind: 'value', group: GROUP, describe: 'Address to listen on', default: '127.0.0.1', parse: text },
  port: { kind: 'value', group: GROUP, describe: 'Port for registrations', default: 'any free port', parse: port },
  wait: {
    kind: 'value',
    group: GROUP,
    describe: 'How long the connector may take to register',
    default: '5m',
    parse: duration,
  },
  ...checkFlags,
} satisfies Record<string, Flag>

export function checkConnectorLine(name: string): CommandLine<typeof checkConnectorFlags> {
  return {
    name,
    summary: 'Listens as a router, and tests the connector that registers against docs/protocol.md.',
    flags: checkConnectorFlags,
    envPrefix: 'CRANKER_CHECK',
    examples: [
      [name, 'Prints where to point your connector, and waits for it'],
      [
        `${name} --exec 'python3 connector.py {router} {route} {target}'`,
        'Starts and stops it too, which allows more cases',
      ],
      [`${name} --only C5.1,C5.2 --protocol 3.0`, 'Only what you work on'],
    ],
  }
}

/** Returns when everything has been run: there is nothing to wait for. */
export async function checkCommand(
  name: string,
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<Running | undefined> {
  const [word, ...rest] = argv
  switch (word) {
    case 'connector':
      return checkConnectorCommand(`${name} connector`, rest, env)
    case 'router':
      return checkRouterCommand(`${name} router`, rest, env)
    case 'help':
    case '--help':
    case '-h':
      process.stdout.write(`${HELP}\n`)
      return undefined
    default:
      throw new UsageError('say what to check: cranker check connector or cranker check router')
  }
}

async function checkConnectorCommand(
  name: string,
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<Running | undefined> {
  const values = await readFlags(checkConnectorLine(name), argv, env)
  if (values === undefined) return undefined
  checkOnly(connectorCases, values.only)
  const reporter = checkReporter(values.json)
  const started = values.exec !== undefined
  // What --exec has started must not outlive this process.
  const interrupted = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => interrupted.abort())
  await checkConnector(connectorCases, {
    host: values.host ?? '127.0.0.1',
    port: values.port ?? 0,
    route: values.route ?? 'check',
    exec: values.exec,
    only: values.only,
    versions: checkVersions(values.protocol),
    like: checkLike(values.like, 'connector'),
    strict: values.strict,
    slow: values.slow,
    timeout: values.timeout ?? DEFAULT_CHECK_TIMEOUT_MS,
    wait: values.wait ?? DEFAULT_WAIT_MS,
    reporter,
    signal: interrupted.signal,
    onListening: ({ router, target, route }) => {
      const lines = [`router ${router}`, `target ${target}`, `route  ${route}`]
      const next = started ? 'starting the connector with' : 'start your connector now, with'
      process.stderr.write(`${name}: ${next}\n${lines.map((line) => `  ${line}\n`).join('')}`)
    },
  })
  finishCheck(reporter)
  return undefined
}
