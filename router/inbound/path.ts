/** What kind of look a path needs. */
const SLASH = 47
const DOT = 46
const PERCENT = 37
const SEMICOLON = 59

/**
 * Whether two servers could read this path in two ways, so that one route could be matched here and another resource
 * be reached behind it. Judged on a decoded copy, split on `/` and `\`, parameters (`;…`) cut off: a segment `.` or
 * `..`, or an empty first segment, is confusing. The bytes that are forwarded stay as they came: `/@scope%2fpkg` is
 * fine.
 */
export function isConfusingPath(path: string): boolean {
  let suspicious = false
  for (let i = 0; i < path.length; i++) {
    const code = path.charCodeAt(i)
    if (code === PERCENT || code === SEMICOLON) suspicious = true
    else if (code === DOT && path.charCodeAt(i - 1) === SLASH) suspicious = true
  }
  if (path.charCodeAt(1) === SLASH) return true
  return suspicious && hasConfusingSegment(path)
}

function hasConfusingSegment(path: string): boolean {
  const segments = percentDecode(path).split(/[/\\]/)
  // The path begins with `/`: its first segment is the second piece.
  if (segments.length > 2 && withoutParameters(segments[1] as string) === '') return true
  return segments.some((segment) => {
    const name = withoutParameters(segment)
    return name === '.' || name === '..'
  })
}

function withoutParameters(segment: string): string {
  const at = segment.indexOf(';')
  return at === -1 ? segment : segment.slice(0, at)
}

/** Octet by octet: what is no UTF-8 is no reason to fail. All escapes are known to be well-formed. */
function percentDecode(text: string): string {
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}
