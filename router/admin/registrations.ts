import type { ProtocolVersion } from '../../protocol/session.js'
import type { RegisteredSession } from '../routing/source.js'

/** One tunnel socket. */
export interface ConnectionStatus {
  readonly socketID: string
  /** The connector's port. */
  readonly port: number
  readonly protocol: ProtocolVersion
  readonly domain: string
  /** Requests running on it now. */
  readonly inFlight: number
}

/** One connector instance, seen from one address. */
export interface ConnectorStatus {
  readonly connectorInstanceID: string
  readonly ip: string
  /** Taken out of service by an operator. */
  readonly darkMode: boolean
  readonly connections: ConnectionStatus[]
}

export interface ServiceStatus {
  readonly name: string
  readonly componentName: string
  readonly isCatchAll: boolean
  readonly connectors: ConnectorStatus[]
}

/** Who is registered, by route: the shape that operators of the Java router know, with more fields. */
export interface RegistrationsStatus {
  readonly services: Readonly<Record<string, ServiceStatus>>
}

export function registrationsStatus(sessions: Iterable<RegisteredSession>): RegistrationsStatus {
  // Without a prototype: `__proto__` is a valid route name.
  const services = Object.create(null) as Record<string, ServiceStatus>
  const connectors = new Map<string, ConnectorStatus>()
  for (const each of sessions) {
    const { route, componentName, connectorInstanceID, remoteAddress: ip } = each
    const service = (services[route] ??= { name: route, componentName, isCatchAll: route === '*', connectors: [] })
    // A route name has no space, an address neither.
    const key = `${route} ${ip} ${connectorInstanceID}`
    let connector = connectors.get(key)
    if (connector === undefined) {
      connector = { connectorInstanceID, ip, darkMode: false, connections: [] }
      connectors.set(key, connector)
      service.connectors.push(connector)
    }
    connector.connections.push({
      socketID: each.socketID,
      port: each.remotePort,
      protocol: each.session.version,
      domain: each.domain,
      inFlight: each.session.load,
    })
  }
  return { services }
}
