/** Longest pause before reconnecting that a goaway may ask for, s. */
const MAX_RETRY_AFTER_S = 3_600

/** A goaway's text: seconds to stay away for, then why. */
export function goawayText(reason: string, retryAfterMs: number): string {
  return `${Math.ceil(retryAfterMs / 1000)} ${reason}`
}

export function parseGoawayText(text: string): { reason: string; retryAfterMs: number } {
  const [first = '', ...words] = text.split(' ')
  const seconds = /^\d{1,6}$/.test(first) ? Math.min(Number(first), MAX_RETRY_AFTER_S) : 0
  return { reason: words.join(' '), retryAfterMs: seconds * 1000 }
}
