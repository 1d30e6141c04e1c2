/** Request targets (RFC 9112 §3.2). */
import { type Authority, parseAuthority } from './host.js'
import { isConfusingPath } from './path.js'

export interface Target {
  /** Origin-form as sent, or `*`. */
  readonly target: string
  readonly path: string
  /** What absolute-form said; undefined for the other forms. */
  readonly authority: string | undefined
  readonly parsedAuthority: Authority | undefined
}

/** Anything but printable ASCII; `#` and `\`, which parsers behind us cut at or turn around; a `%` without two digits. */
const FORBIDDEN = /[^\x21-\x7e]|[#\\]|%(?![0-9A-Fa-f]{2})/
const ABSOLUTE_FORM = /^https?:\/\/([^/?]*)(.*)$/i

/** A string says what is wrong. */
export function parseTarget(method: string, raw: string): Target | string {
  if (raw === '*') {
    // RFC 9112 §3.2.4: asterisk-form is for OPTIONS only.
    return method === 'OPTIONS' ? asteriskForm : 'The request target * is for OPTIONS only.'
  }
  if (FORBIDDEN.test(raw)) return 'The request target contains characters that must be percent-encoded.'
  if (raw.charCodeAt(0) === 47) return originForm(raw, undefined, undefined)
  const absolute = ABSOLUTE_FORM.exec(raw)
  if (absolute === null) return 'The request target is neither a path nor an http or https URL.'
  const authority = absolute[1] as string
  const parsed = parseAuthority(authority)
  if (parsed === undefined) return 'The host in the request target is malformed.'
  const rest = absolute[2] as string
  // RFC 9112 §3.2.4: a proxy's `OPTIONS http://host` is the origin's `OPTIONS *`.
  if (rest === '' && method === 'OPTIONS') return { ...asteriskForm, authority, parsedAuthority: parsed }
  return originForm(rest.startsWith('/') ? rest : `/${rest}`, authority, parsed)
}

const asteriskForm: Target = { target: '*', path: '*', authority: undefined, parsedAuthority: undefined }

function originForm(
  target: string,
  authority: string | undefined,
  parsedAuthority: Authority | undefined,
): Target | string {
  const query = target.indexOf('?')
  const path = query === -1 ? target : target.slice(0, query)
  if (isConfusingPath(path)) return 'The path contains dot segments, or begins with an empty segment.'
  return { target, path, authority, parsedAuthority }
}
