/** What one target that speaks HTTP/2 may cost, and when its connections are given up. */
import { KiB } from '../../protocol/limits.js'

/** Requests on one connection at most, if the target allows as many: several connections reach several workers. */
export const STREAMS_PER_CONNECTION = 256
/** Requests that are expected to fit on a connection whose SETTINGS have not come: the least RFC 9113 §6.5.2 advises. */
export const ASSUMED_STREAMS = 100
/** Response bytes that a stream may have in flight or unread. */
export const STREAM_WINDOW_BYTES = 128 * KiB
/** The same for the connection: what arrives is taken from it at once, so it only has to cover a round trip. */
export const CONNECTION_WINDOW_BYTES = 1024 * KiB
/** Memory of a connection as node counts it (heads, bodies on their way), MB; further requests fail beyond. */
export const CONNECTION_MEMORY_MB = 128
/** Largest SETTINGS frame, in settings: there are ten in all RFCs. */
export const MAX_SETTINGS = 32
/** A connection without a request is kept this long, ms. */
export const KEEP_IDLE_MS = 60_000
/** While requests run, a connection that says nothing for this long is pinged; no answer for as long again: dead. */
export const SILENCE_MS = 20_000
/** Between two pings on which the target says nothing, ms: gRPC servers close on those that ping more often. */
export const PING_GAP_MS = 5 * 60_000
