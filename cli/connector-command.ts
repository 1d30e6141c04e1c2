/** `cranker-connector` and `cranker connector`. */

import { connectorDefaults } from '../connector/options.js'
import { createConnector } from '../connector/index.js'
import { connectorFlags, connectorOptions } from './connector-flags.js'
import type { CommandLine } from './flags.js'
import { createLog } from './logging.js'
import { readFlags, type Running } from './run.js'

export function connectorLine(name: string): CommandLine<typeof connectorFlags> {
  return {
    name,
    summary:
      'Runs beside a service, opens connections to routers from inside, and passes their requests to the service.',
    flags: connectorFlags,
    envPrefix: 'CRANKER_CONNECTOR',
    examples: [
      [`${name} --router ws://dmz:8081 --route my-service --target http://localhost:3000`, 'One service'],
      [
        `${name} --router wss://a:8081,wss://b:8081 \\\n    --route shop=http://localhost:3000 --route blog=http://localhost:3001`,
        'Two services, two routers',
      ],
      [`${name} --router wss://dmz:8081 --ca ca.pem --route '*' --target http://localhost:3000`, 'Every path'],
    ],
  }
}

export async function connectorCommand(
  name: string,
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<Running | undefined> {
  const values = await readFlags(connectorLine(name), argv, env)
  if (values === undefined) return undefined
  const log = createLog({ level: values['log-level'], format: values['log-format'] })
  const options = connectorOptions(values, log)
  const connector = await createConnector(options)
  return {
    log,
    drainTimeout: values['drain-timeout'] ?? connectorDefaults.drainTimeout,
    close: () => connector.close(),
    announce: () => {
      log.info({ routers: values.router, routes: options.routes?.map(({ route }) => route) }, 'connector started')
      log.flush()
    },
  }
}
