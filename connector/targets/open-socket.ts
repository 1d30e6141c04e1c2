/** TCP and TLS connections to a target. */
import { connect as connectTcp, type Socket, type TcpNetConnectOpts } from 'node:net'
import { connect as connectTls } from 'node:tls'

export interface TcpAddress {
  readonly host: string
  readonly port: number
  readonly tls: boolean
  /** ms for the TCP connection and, with TLS, its handshake. */
  readonly connectTimeout: number
}

/** Node gives every address 250 ms (happy eyeballs): a slow link would never connect. */
const LEAST_ATTEMPT_TIMEOUT_MS = 250

/** What every connection to a target has in common. */
export function connectOptions({ host, port, connectTimeout }: TcpAddress): TcpNetConnectOpts {
  return {
    host,
    port,
    noDelay: true,
    autoSelectFamilyAttemptTimeout: Math.max(LEAST_ATTEMPT_TIMEOUT_MS, Math.floor(connectTimeout / 4)),
  }
}

/** Dials the target; `alpn`: what TLS offers, the preferred one first. The socket emits `connect`, or `secureConnect`. */
export function openSocket(address: TcpAddress, alpn: readonly string[]): Socket {
  const options = connectOptions(address)
  return address.tls ? connectTls({ ...options, ALPNProtocols: [...alpn] }) : connectTcp(options)
}
