/** `cranker-router` and `cranker router`. */

import { hostAndPort } from '../protocol/address.js'
import { ROUTER_DEFAULTS } from '../router/options.js'
import { createRouter, type Router } from '../router/index.js'
import type { CommandLine } from './flags.js'
import { createLog, type Log } from './logging.js'
import { routerFlags, routerOptions } from './router-flags.js'
import { readFlags, type Running } from './run.js'

export function routerLine(name: string): CommandLine<typeof routerFlags> {
  return {
    name,
    summary: 'Accepts requests in the DMZ and passes them to connectors, which open the connections from inside.',
    flags: routerFlags,
    envPrefix: 'CRANKER_ROUTER',
    examples: [
      [`${name} --port 8080 --registration-port 8081`, 'Plain HTTP; put TLS in front'],
      [`${name} --port 443 --tls-cert chain.pem --tls-key key.pem`, 'TLS on both ports'],
      [`${name} --trusted-proxies 10.0.0.0/8 --x-forwarded`, 'Behind a load balancer'],
      [`${name} --admin-port 8082`, 'With /health and /api/registrations on 127.0.0.1:8082'],
    ],
  }
}

export async function routerCommand(
  name: string,
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
): Promise<Running | undefined> {
  const values = await readFlags(routerLine(name), argv, env)
  if (values === undefined) return undefined
  const log = createLog({ level: values['log-level'], format: values['log-format'] })
  const options = routerOptions(values, log)
  const router = await createRouter(options)
  const { public: open, registration, admin } = router.address
  return {
    log,
    drainTimeout: values['drain-timeout'] ?? ROUTER_DEFAULTS.drainTimeout,
    close: () => router.close(),
    reload: options.tls === undefined && !options.registrationTls ? undefined : () => reload(router, log),
    announce: () => {
      const urls = {
        public: open.url,
        registration: registration.url,
        ...(admin === undefined ? {} : { admin: admin.url }),
      }
      // A URL names an address to call: who listens on all must see that here.
      const listening = [open, registration, ...(admin === undefined ? [] : [admin])].map(({ host, port }) =>
        hostAndPort(host, port),
      )
      log.info({ ...urls, listening }, 'router listening')
      log.flush()
    },
  }
}

function reload(router: Router, log: Log): void {
  try {
    router.reloadCertificates()
    log.info({}, 'certificates were read again')
  } catch (err) {
    log.error({ err }, 'certificates cannot be used: the old ones stay')
  }
}
