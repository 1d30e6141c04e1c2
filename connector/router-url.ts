/** The `routers` option: registration URLs, validated with messages that say what to write instead. */
import { invalid } from './validate.js'

/** Any number of URLs, also several in one string, separated by commas. Duplicates are dropped. */
export function parseRouters(routers: string | URL | readonly (string | URL)[]): readonly URL[] {
  const given = isList(routers) ? routers : [routers]
  const found = new Map<string, URL>()
  for (const entry of given) {
    const texts = entry instanceof URL ? [entry.href] : splitList(entry)
    for (const text of texts) {
      const url = parseRouter(text)
      found.set(url.href, url)
    }
  }
  if (found.size === 0) throw invalid('`routers` is empty: give at least one URL such as wss://router.example:8081')
  return [...found.values()]
}

/** What is said about a router in logs, events and status. */
export function routerName(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname === '/' ? '' : url.pathname}`
}

function isList(value: string | URL | readonly (string | URL)[]): value is readonly (string | URL)[] {
  return Array.isArray(value)
}

function splitList(text: string): string[] {
  if (typeof text !== 'string') throw invalid(`\`routers\` has an entry that is no URL: ${String(text)}`)
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
}

function parseRouter(text: string): URL {
  let url: URL
  try {
    url = new URL(text)
  } catch {
    throw invalid(`\`routers\`: "${text}" is no URL; write it as wss://host:port or ws://host:port`)
  }
  switch (url.protocol) {
    case 'ws:':
    case 'wss:':
      break
    case 'http:':
      throw invalid(`\`routers\`: write ws://${url.host} instead of "${text}"`)
    case 'https:':
      throw invalid(`\`routers\`: write wss://${url.host} instead of "${text}"`)
    default:
      // "host:8081" parses as the scheme "host:".
      throw invalid(`\`routers\`: "${text}" has no scheme ws:// or wss://; write ws://${text} or wss://${text}`)
  }
  if (url.username !== '' || url.password !== '') {
    throw invalid('`routers`: no credentials in the URL; send them with `registrationHeaders`')
  }
  if (url.search !== '' || url.hash !== '') throw invalid(`\`routers\`: no query or fragment, in "${text}"`)
  const path = url.pathname.replace(/\/+$/, '')
  if (/\/(de)?register$/.test(path)) {
    throw invalid(`\`routers\`: leave /register out of "${text}"; it is added`)
  }
  url.pathname = path
  return url
}
