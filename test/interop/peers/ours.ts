import { createConnector } from '../../../connector/index.js'
import { createRouter } from '../../../router/index.js'
import { versions } from '../../support/pair.js'
import type { ConnectorPeer, RouterPeer } from '../peer.js'

const LOG_LINES = 1_000
/** As long as the foreign programs give what still runs. */
const DRAIN_MS = 10_000
/** Tests restart routers: nobody wants to wait for the second attempt. */
const BACKOFF_MS = 50

/** Keeps what was logged, for the message of a failed test. */
function memoryLog() {
  const lines: string[] = []
  const log =
    (level: string) =>
    (fields: object, message: string): void => {
      lines.push(`${level} ${message} ${JSON.stringify(fields)}`)
      if (lines.length > LOG_LINES) lines.shift()
    }
  return {
    logger: { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') },
    output: () => lines.join('\n'),
  }
}

const prepared = (): Promise<undefined> => Promise.resolve(undefined)

/** Our own router, from the sources, in this process. */
export const ourRouter: RouterPeer = {
  name: 'cranker-router',
  title: 'cranker router',
  versions,
  prepare: prepared,
  async start({ publicPort = 0, registrationPort = 0, connectorWait, idleTimeout, pingInterval }) {
    const { logger, output } = memoryLog()
    const router = await createRouter({
      host: '127.0.0.1',
      port: publicPort,
      registrationPort,
      ...(connectorWait === undefined ? {} : { connectorWait }),
      ...(idleTimeout === undefined ? {} : { idleTimeout }),
      ...(pingInterval === undefined ? {} : { pingInterval }),
      // A route that nobody serves is unknown from the start, as it is with other routers.
      startGrace: 0,
      drainTimeout: DRAIN_MS,
      logger,
    })
    const { public: open, registration } = router.address
    return {
      publicPort: open.port,
      registrationPort: registration.port,
      stop: () => router.close(),
      output,
    }
  },
}

/** Our own connector, from the sources, in this process. */
export const ourConnector: ConnectorPeer = {
  name: 'cranker-connector',
  title: 'cranker connector',
  versions,
  prepare: prepared,
  async start({ window, pingInterval, ...options }) {
    const { logger, output } = memoryLog()
    const connector = await createConnector({
      ...options,
      ...(window === undefined ? {} : { window }),
      ...(pingInterval === undefined ? {} : { pingInterval }),
      backoffBase: BACKOFF_MS,
      drainTimeout: DRAIN_MS,
      logger,
    })
    return { stop: () => connector.close(), output }
  },
}
