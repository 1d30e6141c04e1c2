/** Host and port (RFC 9110 §7.2, RFC 3986 §3.2.2), stricter than the grammar where that protects routing. */
export interface Authority {
  /** Lower case, no port, no trailing dot. */
  readonly host: string
  /** `` when none was given. */
  readonly port: string
}

/** Letters, digits, `-`, `.`, `_`, `~`: no sub-delims and no escapes, which two parsers read in two ways. */
const HOST_CHAR = new Uint8Array(128)
for (const char of 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~')
  HOST_CHAR[char.charCodeAt(0)] = 1

const IP_LITERAL = /^\[([0-9A-Fa-f:.]{2,45})\](?::(\d{0,5}))?$/
const COLON = 58
const MAX_HOST_LENGTH = 255

/** Undefined: malformed or empty. */
export function parseAuthority(text: string): Authority | undefined {
  if (text.startsWith('[')) return parseIpLiteral(text)
  let end = text.length
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === COLON) {
      end = i
      break
    }
    if (HOST_CHAR[code] !== 1) return undefined
  }
  const port = end === text.length ? '' : text.slice(end + 1)
  if (port !== '' && !isPort(port)) return undefined
  if (text.charCodeAt(end - 1) === 46) end--
  if (end <= 0 || end > MAX_HOST_LENGTH || text.startsWith('.')) return undefined
  const host = text.slice(0, end).toLowerCase()
  return host.includes('..') ? undefined : { host, port }
}

function parseIpLiteral(text: string): Authority | undefined {
  const match = IP_LITERAL.exec(text)
  if (match === null) return undefined
  const port = match[2] ?? ''
  if (port !== '' && !isPort(port)) return undefined
  return { host: `[${(match[1] as string).toLowerCase()}]`, port }
}

function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) <= 65_535
}
