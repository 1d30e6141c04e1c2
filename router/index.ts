/** The router, for embedding: `import { createRouter } from 'cranker/router'`. */
export {
  CrankerError,
  type CrankerErrorOptions,
  type Delivered,
  type ErrorCode,
  type Initiator,
} from '../protocol/errors.js'
export type { Logger } from '../protocol/logger.js'
export type { ProtocolVersion } from '../protocol/session.js'
export type { FrameTracer } from '../protocol/traced-link.js'
export type { ConnectionStatus, ConnectorStatus, RegistrationsStatus, ServiceStatus } from './admin/registrations.js'
export type { HealthStatus } from './admin/server.js'
export type { DeregistrationInfo, LossInfo, RouterEvents, SocketInfo } from './events.js'
export type { Endpoint } from './listen.js'
export type { AccessEntry, RouterOptions, TlsFiles, TlsOptions, TlsSource } from './options.js'
export { createRouter, type Router, type RouterAddress, type RouterState } from './router.js'
