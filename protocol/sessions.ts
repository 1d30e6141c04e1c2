/** The one place that knows which class speaks which version. */
import type { SessionConfig } from './session-config.js'
import type {
  ConnectorSession,
  ConnectorSessionEvents,
  ProtocolVersion,
  RouterSession,
  SessionEvents,
} from './session.js'
import { V1ConnectorSession } from './v1/connector-session.js'
import { V1RouterSession } from './v1/router-session.js'
import { V3ConnectorSession } from './v3/connector-session.js'
import { V3RouterSession } from './v3/router-session.js'

/** The router's end of a tunnel socket that has just been opened. */
export function createRouterSession(
  version: ProtocolVersion,
  config: SessionConfig,
  events: SessionEvents,
): RouterSession {
  switch (version) {
    case '1.0':
      return new V1RouterSession(config, events)
    case '3.0':
      return new V3RouterSession(config, events)
  }
}

/** The connector's end of a tunnel socket that has just been opened. */
export function createConnectorSession(
  version: ProtocolVersion,
  config: SessionConfig,
  events: ConnectorSessionEvents,
): ConnectorSession {
  switch (version) {
    case '1.0':
      return new V1ConnectorSession(config, events)
    case '3.0':
      return new V3ConnectorSession(config, events)
  }
}
