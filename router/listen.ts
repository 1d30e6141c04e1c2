import type { AddressInfo, Server } from 'node:net'
import { hostAndPort } from '../protocol/address.js'
import { CrankerError } from '../protocol/errors.js'

/** Where one of the router's ports can be reached. */
export interface Endpoint {
  /** The address that was bound; `0.0.0.0` and `::` mean all. */
  readonly host: string
  readonly port: number
  /** For a browser or a connector on the same machine. */
  readonly url: string
}

/** What is listened on, for messages. */
export interface ListenTarget {
  /** `public`, `registration` or `admin`. */
  readonly name: string
  readonly host: string
  readonly port: number
  /** The option that chooses the port. */
  readonly option: string
}

/** @throws {CrankerError} CRANKER_ERR_LISTEN */
export function listen(server: Server, target: ListenTarget): Promise<AddressInfo> {
  return new Promise((resolve, reject) => {
    const onError = (error: Error): void => reject(listenError(error, target))
    server.once('error', onError)
    server.listen({ host: target.host, port: target.port }, () => {
      server.off('error', onError)
      resolve(server.address() as AddressInfo)
    })
  })
}

/** One sentence that says what to do about it. */
export function listenError(error: unknown, target: ListenTarget): CrankerError {
  if (error instanceof CrankerError) return error
  const { name, host, port, option } = target
  const code = (error as NodeJS.ErrnoException | undefined)?.code
  return new CrankerError(
    'CRANKER_ERR_LISTEN',
    `Cannot listen on ${host}:${port} (${name} port): ${reason(code, option)}`,
    {
      initiator: 'caller',
      delivered: 'no',
      cause: error,
    },
  )
}

function reason(code: string | undefined, option: string): string {
  switch (code) {
    case 'EADDRINUSE':
      return `the port is in use. Stop what uses it, or choose another with \`${option}\` (0 picks a free one).`
    case 'EACCES':
    case 'EPERM':
      return `not permitted. Choose a port above 1023 with \`${option}\`, or grant the privilege to bind low ports.`
    case 'EADDRNOTAVAIL':
      return 'this machine has no such address. Use one of its own, or 0.0.0.0 for all.'
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'the host name cannot be resolved. Use an address, or a name that this machine knows.'
    default:
      return `${code ?? 'unknown error'}.`
  }
}

export function endpoint(address: AddressInfo, scheme: 'http' | 'https' | 'ws' | 'wss'): Endpoint {
  const { address: host, port } = address
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host
  return { host, port, url: `${scheme}://${hostAndPort(reachable, port)}` }
}
