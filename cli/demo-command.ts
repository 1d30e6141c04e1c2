/** `cranker demo`: a router, a connector and a small service in one process, to see the whole at work. */

import { createConnector, type Connector } from '../connector/index.js'
import type { TargetOption } from '../connector/options.js'
import { CrankerError } from '../protocol/errors.js'
import { createRouter, type Router } from '../router/index.js'
import type { RouterOptions } from '../router/options.js'
import { demoService } from './demo-service.js'
import type { CommandLine, Flag } from './flags.js'
import { createLog, logFlags, printFrame, type Log } from './logging.js'
import { readFlags, type Running } from './run.js'
import { duration, port, text } from './values.js'

const GROUP = 'Demo:'
const DEFAULT_PORT = 8080
const DEFAULT_DRAIN_MS = 5_000

const demoFlags = {
  port: {
    kind: 'value',
    group: GROUP,
    describe: 'Port to open in a browser; 0 picks a free one',
    default: '8080, or a free one',
    parse: port,
  },
  host: { kind: 'value', group: GROUP, describe: 'Address of that port', default: '127.0.0.1', parse: text },
  target: {
    kind: 'value',
    group: GROUP,
    describe: 'URL of your own service, instead of the built-in one',
    parse: text,
  },
  route: { kind: 'value', group: GROUP, describe: "Path prefix, '*' for all", default: '*', parse: text },
  'drain-timeout': {
    kind: 'value',
    group: GROUP,
    describe: 'How long running requests may take to finish after SIGTERM or SIGINT',
    default: '5s',
    parse: duration,
  },
  ...logFlags,
} satisfies Record<string, Flag>

const line = (name: string): CommandLine<typeof demoFlags> => ({
  name,
  summary: 'Starts a router, a connector and a small service in one process, to try out what they do.',
  flags: demoFlags,
  envPrefix: 'CRANKER_DEMO',
  examples: [
    [name, 'Everything built in'],
    [`${name} --target http://localhost:3000 --route my-service`, 'Your own service behind it'],
  ],
})

export async function demoCommand(
  name: string,
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<Running | undefined> {
  const values = await readFlags(line(name), argv, env)
  if (values === undefined) return undefined
  const log = createLog({ level: values['log-level'], format: values['log-format'] })
  const drainTimeout = values['drain-timeout'] ?? DEFAULT_DRAIN_MS
  const route = values.route ?? '*'

  const router = await startRouter(values.port, {
    host: values.host ?? '127.0.0.1',
    drainTimeout,
    logger: log,
    ...(values['trace-frames'] ? { traceFrames: printFrame } : {}),
  })
  let connector: Connector
  try {
    connector = await startConnector(router, route, values.target ?? demoService(basePath(route)), drainTimeout, log)
  } catch (error) {
    await router.close()
    throw error
  }
  log.flush()
  return {
    log,
    drainTimeout: 2 * drainTimeout,
    close: async () => {
      await connector.close()
      await router.close()
    },
    announce: () => {
      process.stdout.write(welcome(router, route, values.target))
    },
  }
}

/** The default port may be taken on a developer's machine: then any free one will do. A port asked for is a must. */
async function startRouter(
  asked: number | undefined,
  given: RouterOptions & { readonly logger: Log },
): Promise<Router> {
  const options: RouterOptions = {
    ...given,
    registrationHost: '127.0.0.1',
    registrationPort: 0,
    startGrace: 0,
    accessLog: (entry) => {
      given.logger.info(entry, 'request')
    },
  }
  if (asked !== undefined) return createRouter({ ...options, port: asked })
  try {
    return await createRouter({ ...options, port: DEFAULT_PORT })
  } catch (error) {
    if (!(error instanceof CrankerError) || error.code !== 'CRANKER_ERR_LISTEN') throw error
    process.stdout.write(`Port ${String(DEFAULT_PORT)} is taken, so a free one is used. Choose with --port.\n`)
    return createRouter({ ...options, port: 0 })
  }
}

async function startConnector(
  router: Router,
  route: string,
  target: TargetOption,
  drainTimeout: number,
  log: Log,
): Promise<Connector> {
  const connector = await createConnector({
    routers: router.address.registration.url,
    route,
    target,
    componentName: 'cranker-demo',
    drainTimeout,
    logger: log,
  })
  await connector.registered
  return connector
}

/** Where the built-in service is mounted. */
function basePath(route: string): string {
  return route === '*' ? '/' : `/${route}/`
}

function welcome(router: Router, route: string, target: string | undefined): string {
  const url = `http://localhost:${String(router.address.public.port)}${basePath(route)}`
  const tries = target === undefined ? [`curl ${url}hello`, `curl -N ${url}clock`] : [`curl -i ${url}`]
  return [
    '',
    `  ${url}   open it in a browser, or try:`,
    '',
    ...tries.map((command) => `  ${command}`),
    '',
    `  browser → router → connector → ${target ?? 'a small service in this process, which has no port'}`,
    '  Ctrl-C stops it.',
    '',
    '',
  ].join('\n')
}
