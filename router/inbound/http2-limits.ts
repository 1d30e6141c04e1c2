/** What one HTTP/2 connection of a client may make grow or cost. Times are judged once per look, see http2.ts. */
import { KiB } from '../../protocol/limits.js'

export interface Http2Limits {
  /** Streams reset by the client, or ended by its mistakes, before they were answered: at once… */
  readonly resetBurst: number
  /** …and per second (CVE-2023-44487, CVE-2025-8671). Pages that are left in the middle cancel some dozens at once. */
  readonly resetsPerSecond: number
  /** PING and SETTINGS frames at once… */
  readonly controlBurst: number
  /** …and per second (CVE-2019-9512, CVE-2019-9515). gRPC clients send a ping per round trip while data flows. */
  readonly controlPerSecond: number
  /** Between pings that ask whether the client is still there, ms. */
  readonly pingInterval: number
  /** A client that has not answered for so long is gone, ms. */
  readonly pingTimeout: number
  /** For an error that the client does not take: no exchange watches it any more, ms. */
  readonly answerTimeout: number
}

export const HTTP2_LIMITS: Http2Limits = {
  resetBurst: 500,
  resetsPerSecond: 50,
  controlBurst: 10_000,
  controlPerSecond: 1_000,
  pingInterval: 30_000,
  pingTimeout: 20_000,
  answerTimeout: 10_000,
}

/** Request body bytes that a stream may have in flight or unread. Times the streams this is what a client can fill. */
export const STREAM_WINDOW_BYTES = 128 * KiB
/** The same for the connection: what arrives is taken from it at once, so it only has to cover a round trip. */
export const CONNECTION_WINDOW_BYTES = 1024 * KiB
/**
 * Memory of a session as node counts it (heads, bodies on their way to the client), MB. Further streams are refused. The
 * tunnel's windows, up to 4 MiB for a fast response, must fit for all of a page.
 */
export const SESSION_MEMORY_MB = 128
/**
 * Fields of a head before cookies are joined (RFC 9113 §8.2.3: a client may send each crumb as a field of its own).
 * Above that node resets the stream; up to that, what is too much is answered with 431.
 */
export const MAX_RAW_FIELDS = 1_024
/** Largest SETTINGS frame, in settings: there are ten in all RFCs. */
export const MAX_SETTINGS = 32
/** Malformed frames and requests, and refused streams, before the connection is cut. */
export const MAX_INVALID_FRAMES = 100
