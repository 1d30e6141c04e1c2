/** The options that say what is served: routes, domains and targets. */
import { isRouteName, normalizeDomain } from '../protocol/registration.js'
import type { ConnectorOptions, ResolvedRoute, RouteOption, TargetOption, TargetProtocol } from './options.js'
import { invalid } from './validate.js'

/** `route` and `target`, or `routes`: validated, each with its domain. */
export function resolveRoutes(
  options: ConnectorOptions,
  defaults: Pick<ResolvedRoute, 'domain' | 'targetProtocol'>,
): readonly ResolvedRoute[] {
  const { route, target, routes } = options
  if (routes !== undefined && (route !== undefined || target !== undefined)) {
    throw invalid('give either `route` and `target`, or `routes`, not both')
  }
  const given = routes ?? [pair(route, target)]
  if (given.length === 0) throw invalid('`routes` is empty: give at least one {route, target}')
  const seen = new Set<string>()
  return given.map((entry) => {
    const domain = resolveDomain(entry.domain ?? options.domain ?? defaults.domain)
    const targetProtocol = resolveProtocol(entry.targetProtocol ?? options.targetProtocol ?? defaults.targetProtocol)
    const resolved = { route: resolveRoute(entry.route), domain, target: entry.target, targetProtocol }
    const key = `${domain} ${resolved.route}`
    if (seen.has(key)) throw invalid(`the route "${resolved.route}" is given twice for the domain "${domain}"`)
    seen.add(key)
    return resolved
  })
}

function pair(route: string | undefined, target: TargetOption | undefined): RouteOption {
  if (route === undefined) throw invalid('`route` is missing: give the path prefix, or "*" for the catch-all')
  if (target === undefined) throw invalid('`target` is missing: give a URL, an http.Server or a request listener')
  return { route, target }
}

function resolveRoute(route: string): string {
  if (typeof route !== 'string') throw invalid(`\`route\` must be a string, not ${String(route)}`)
  if (isRouteName(route)) return route
  const bare = route.replace(/^\/+|\/+$/g, '')
  const hint =
    bare !== '' && isRouteName(bare) ? `write "${bare}"` : 'use letters, digits, "_", "-", "." and "/", or "*"'
  throw invalid(`"${route}" is no route name: ${hint}`)
}

function resolveProtocol(protocol: unknown): TargetProtocol {
  if (protocol === 'auto' || protocol === 'http1' || protocol === 'http2') return protocol
  throw invalid(`\`targetProtocol\` must be auto, http1 or http2, not "${String(protocol)}"`)
}

function resolveDomain(domain: unknown): string {
  const normalized = typeof domain === 'string' ? normalizeDomain(domain) : undefined
  if (normalized === undefined) throw invalid(`"${String(domain)}" is no domain: give a host name, or "*" for any`)
  return normalized
}
