/** What the router says about the hop before it: Via (RFC 9110 §7.6.3), Forwarded (RFC 7239), X-Forwarded-*. */
import { BlockList, isIP } from 'node:net'
import { FORWARDING_FIELDS, filterRequestHeaders } from '../protocol/hop-by-hop.js'
import { isToken } from '../protocol/token.js'
import type { InboundRequest } from './inbound/inbound.js'

export interface ForwardingOptions {
  readonly viaName: string
  readonly xForwarded: boolean
  readonly forwardHost: boolean
  readonly trustedProxies: readonly string[]
}

const NOTHING: ReadonlySet<string> = new Set()

export class ForwardingFields {
  readonly #options: ForwardingOptions
  /** Undefined: nobody is trusted, which is the default. */
  readonly #trusted: BlockList | undefined
  readonly #drop: ReadonlySet<string>
  readonly #dropTrusted: ReadonlySet<string>

  constructor(options: ForwardingOptions) {
    this.#options = options
    this.#trusted = options.trustedProxies.length === 0 ? undefined : networks(options.trustedProxies)
    // With forwardHost off the connector sends the host of its target.
    this.#drop = options.forwardHost ? FORWARDING_FIELDS : new Set([...FORWARDING_FIELDS, 'host'])
    this.#dropTrusted = options.forwardHost ? NOTHING : new Set(['host'])
  }

  /**
   * The fields that a request goes on with: end-to-end ones, then ours. What the client claims about hops before it is
   * kept, and appended to, only if the client is a trusted proxy.
   */
  apply(inbound: InboundRequest): string[] {
    const trusted = this.#trusted !== undefined && isListed(this.#trusted, inbound.remoteAddress)
    const headers = filterRequestHeaders(inbound.headers, trusted ? this.#dropTrusted : this.#drop)
    const { viaName, xForwarded, forwardHost } = this.#options
    // RFC 9112 §3.2.2: an absolute-form target says the host where the field is missing (HTTP/1.0).
    if (forwardHost && inbound.httpVersion === '1.0' && inbound.authority !== '') addHost(headers, inbound.authority)
    const via = `${inbound.httpVersion} ${viaName}`
    const element = forwardedElement(inbound)
    if (trusted) {
      append(headers, 'Via', via)
      append(headers, 'Forwarded', element)
    } else {
      headers.push('Via', via, 'Forwarded', element)
    }
    if (xForwarded) addXForwarded(headers, inbound, viaName)
    return headers
  }
}

function forwardedElement(inbound: InboundRequest): string {
  const { remoteAddress, authority } = inbound
  const node = isIP(remoteAddress) === 6 ? `"[${remoteAddress}]"` : remoteAddress
  const host = authority === '' ? '' : `;host=${quoteUnlessToken(authority)}`
  return `for=${node === '' ? 'unknown' : node}${host};proto=${inbound.secure ? 'https' : 'http'}`
}

/** A value with `:` or `[` is no token and must be quoted (RFC 7239 §4). */
function quoteUnlessToken(value: string): string {
  return isToken(value) ? value : `"${value}"`
}

function addHost(headers: string[], authority: string): void {
  if (find(headers, 'host') === -1) headers.unshift('Host', authority)
}

function addXForwarded(headers: string[], inbound: InboundRequest, viaName: string): void {
  append(headers, 'X-Forwarded-For', inbound.remoteAddress)
  // Only a trusted proxy's values are still there: it knows what the client asked for.
  addUnlessPresent(headers, 'X-Forwarded-Proto', inbound.secure ? 'https' : 'http')
  if (inbound.authority !== '') addUnlessPresent(headers, 'X-Forwarded-Host', inbound.authority)
  addUnlessPresent(headers, 'X-Forwarded-Port', String(inbound.localPort))
  addUnlessPresent(headers, 'X-Forwarded-Server', viaName)
}

/** One line for the whole list: some connectors keep only one of several lines (crank4py). */
function append(headers: string[], name: string, value: string): void {
  const lower = name.toLowerCase()
  const first = find(headers, lower)
  if (first === -1) {
    headers.push(name, value)
    return
  }
  const list: string[] = []
  for (let i = first; i + 1 < headers.length;) {
    if ((headers[i] as string).toLowerCase() !== lower) {
      i += 2
      continue
    }
    list.push(headers[i + 1] as string)
    if (i === first) i += 2
    else headers.splice(i, 2)
  }
  headers[first + 1] = [...list, value].filter((member) => member !== '').join(', ')
}

function addUnlessPresent(headers: string[], name: string, value: string): void {
  if (find(headers, name.toLowerCase()) === -1) headers.push(name, value)
}

function find(headers: readonly string[], lower: string): number {
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] as string
    if (name.length === lower.length && name.toLowerCase() === lower) return i
  }
  return -1
}

function networks(list: readonly string[]): BlockList {
  const trusted = new BlockList()
  for (const entry of list) {
    const [address = '', prefix] = entry.split('/')
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4'
    if (prefix === undefined) trusted.addAddress(address, family)
    else trusted.addSubnet(address, Number(prefix), family)
  }
  return trusted
}

function isListed(list: BlockList, address: string): boolean {
  const family = isIP(address)
  return family !== 0 && list.check(address, family === 6 ? 'ipv6' : 'ipv4')
}
