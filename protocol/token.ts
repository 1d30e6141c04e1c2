/** tchar, RFC 9110 §5.6.2. */
const TCHAR = new Uint8Array(256)
for (const char of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
  TCHAR[char.charCodeAt(0)] = 1
}

/** Whether `text` is a token (RFC 9110 §5.6.2): a field name, a method. */
export function isToken(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    if (TCHAR[text.charCodeAt(i)] !== 1) return false
  }
  return text.length > 0
}

/** Finds what no field value may contain (RFC 9110 §5.5): controls other than a tab, and what is more than an octet. */
export const NOT_IN_VALUE = /[^\t\x20-\x7e\x80-\xff]/
