import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { TcpAddress } from './tcp-wire.js'

export type { TcpAddress } from './tcp-wire.js'

/** Node gives every address 250 ms (happy eyeballs): a slow link would never connect. */
const LEAST_ATTEMPT_TIMEOUT_MS = 250

/** Dials the target; `alpn`: what TLS offers, the preferred one first. The socket emits `connect`, or `secureConnect`. */
export function openSocket({ host, port, tls, connectTimeout }: TcpAddress, alpn: readonly string[]): Socket {
  const options = {
    host,
    port,
    noDelay: true,
    autoSelectFamilyAttemptTimeout: Math.max(LEAST_ATTEMPT_TIMEOUT_MS, Math.floor(connectTimeout / 4)),
  }
  return tls ? connectTls({ ...options, ALPNProtocols: [...alpn] }) : connectTcp(options)
}
