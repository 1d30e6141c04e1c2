/** A socket's remote address as people write it: a dual-stack socket shows the client 192.0.2.1 as ::ffff:192.0.2.1. */
export function plainAddress(address: string | undefined): string {
  if (address === undefined) return ''
  return address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address
}

/** `HOST:PORT` as in a URL (RFC 3986 §3.2.2). */
export function hostAndPort(host: string, port: number): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}
