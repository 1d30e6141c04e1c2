/**
 * One direction of one stream.
 *
 *               interim (1xx)
 *                 ┌────┐
 *                 ▼    │  head        data          data + end, or trailers
 *   (opened) ──▶ head ─┴──────▶ body ─┬──┐──────────────────────────▶ ended
 *                 │              ▲    │  │
 *                 │              └────┘  │ reset, socket lost
 *                 │ head + end           ▼
 *                 └───────────────────▶ ended
 *
 * Each verb returns the state after it, or undefined when it is not allowed in the state before: for what a peer did
 * that is a protocol error, for what our own code did a bug. Neither costs more than the stream.
 */
export type Half = 'head' | 'body' | 'ended'

/** An interim head (RFC 9110 §15.2) never ends anything. */
export function interim(half: Half, end: boolean): Half | undefined {
  return half === 'head' && !end ? 'head' : undefined
}

/** The final head. */
export function head(half: Half, end: boolean): Half | undefined {
  if (half !== 'head') return undefined
  return end ? 'ended' : 'body'
}

/** A piece of the body, perhaps empty. An empty one after the end says nothing new and does no harm. */
export function data(half: Half, bytes: number, end: boolean): Half | undefined {
  switch (half) {
    case 'head':
      return undefined
    case 'body':
      return end ? 'ended' : 'body'
    case 'ended':
      return bytes === 0 ? 'ended' : undefined
  }
}

/** A second head block: trailers (RFC 9110 §6.5), which must be the end. */
export function trailers(half: Half, end: boolean): Half | undefined {
  return half === 'body' && end ? 'ended' : undefined
}
