/** The public entry `cranker/connector`. */
export { type Connector, createConnector } from './connector.js'
export type { ConnectorEventMap, RegistrationInfo, RouterInfo } from './events.js'
export type { ConnectorOptions, RouteOption, TargetOption } from './options.js'
export type { RegistrationState } from './registration.js'
export type { ConnectorStatus, RegistrationStatus, SocketStatus } from './status.js'
export { CrankerError, type Delivered, type ErrorCode, type Initiator } from '../protocol/errors.js'
export type { Logger } from '../protocol/logger.js'
export type { ProtocolVersion } from '../protocol/session.js'
