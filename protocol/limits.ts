/**
 * Every limit and time of the wire protocol: named, finite, with its reason. Nothing here is magic: an option exists
 * for each that an operator may want to change.
 */

export const KiB = 1024
export const MiB = 1024 * 1024

/** Largest message head, either way, in bytes of wire text (also node's `maxHeaderSize` on both sides). */
export const MAX_HEAD_BYTES = 64 * KiB
/** Most field lines in a head. */
export const MAX_HEAD_FIELDS = 256
/** HEADER frames of one head at most: nobody needs more, an attacker would. */
export const MAX_HEAD_PARTS = 256

/** Largest incoming WebSocket message (`maxPayload`). The largest that a published peer sends is 64 KiB. */
export const MAX_MESSAGE_BYTES = 1 * MiB

// 1.0

/** Largest 1.0 message that we send: crank4go reads at most 16,384 bytes, go-cranker-connector 32,768. */
export const V1_MAX_MESSAGE_BYTES = 16 * KiB
/** Bytes that a 1.0 receiver holds unconsumed before it stops reading its socket. */
export const V1_RECEIVE_WINDOW_BYTES = 64 * KiB
/** Bytes that a 1.0 sender leaves queued in its socket before `write` says false. */
export const V1_SEND_QUEUE_BYTES = 64 * KiB
/**
 * After the router has closed a socket because the client left, TCP is cut: crank4py-connector and
 * rust-cranker-connector cancel their target only then.
 */
export const V1_ABORT_TERMINATE_MS = 500

// 3.0

/** Frame header: type u8, flags u8, request id int32 BE. */
export const V3_FRAME_HEADER_BYTES = 6
/** A turn of one stream in the scheduler, and the largest DATA payload that we send. */
export const V3_MAX_DATA_BYTES = 16 * KiB
/** Largest HEADER payload per frame: the published peers split at 16,000 characters (asgi-cc: bytes). */
export const V3_MAX_HEADER_PART_BYTES = 16_000
/** The published flow control: a sender pauses above this many unacknowledged bytes… */
export const V3_SEND_PAUSE_BYTES = 65_536
/** …and resumes below this many. A receiver that holds back as much stalls its peer for good. */
export const V3_SEND_RESUME_BYTES = 16_384
/** Credit of a stream at its start; it doubles while the round trip limits it… */
export const V3_INITIAL_WINDOW_BYTES = 64 * KiB
/** …up to this for one stream… */
export const V3_MAX_STREAM_WINDOW_BYTES = 4 * MiB
/** …this for all streams of a socket… */
export const V3_MAX_SOCKET_WINDOW_BYTES = 32 * MiB
/** …and this for the process. */
export const V3_MAX_PROCESS_WINDOW_BYTES = 256 * MiB
/** Bytes that a stream holds in the scheduler before `write` says false. */
export const V3_STREAM_QUEUE_BYTES = 64 * KiB
/** Bytes handed to the link before the scheduler waits for it to drain. */
export const V3_LINK_QUEUE_BYTES = 256 * KiB
/** The delivery clock: a ping with the cumulative byte count every so many bytes. */
export const V3_CLOCK_INTERVAL_BYTES = 64 * KiB
/** Bytes in flight (sent, not known to have arrived): to start with… */
export const V3_INITIAL_FLIGHT_BYTES = 512 * KiB
/** …and at most. */
export const V3_MAX_FLIGHT_BYTES = 8 * MiB
/** Running exchanges on one socket. */
export const V3_MAX_STREAMS = 256
/** A socket that has used this id is retired: ids are int32 and are never reused. */
export const V3_RETIRE_ID = 2 ** 30
/** Received slices below this are copied before they are kept: a view pins the 64 KiB read buffer under it. */
export const COPY_BELOW_BYTES = 4 * KiB

// Liveness

export const PING_INTERVAL_MS = 5_000
/** Without any inbound frame for this long a socket is dead. The limit of cranker-connector (Java) is the same. */
export const DEAD_AFTER_MS = 20_000
/** A timer later than this means that our own event loop stood still: nobody is declared dead on its word. */
export const LOOP_LAG_MS = 1_000
/** From our Close frame to the end of the TCP connection. */
export const LINK_CLOSE_TIMEOUT_MS = 2_000
/** From the TCP connect to the 101. */
export const HANDSHAKE_TIMEOUT_MS = 10_000

// Registration: what a connector says about itself ends up in maps, logs and status pages.

/** A route name; far above any that is in use. */
export const MAX_ROUTE_LENGTH = 255
/** A host name (RFC 1035 §2.3.4). */
export const MAX_DOMAIN_LENGTH = 253
/** `connectorInstanceID` and `componentName`, each, in characters after decoding. */
export const MAX_REGISTRATION_NAME_LENGTH = 200
/** `Cranker-Extensions`; what is beyond is not read. */
export const MAX_EXTENSIONS_LENGTH = 1024

/** Interim responses (1xx) before one final head. Each is handed to the client whether it reads or not. */
export const MAX_INTERIM_HEADS = 16

/**
 * A 1.0 response larger than `V1_RECEIVE_WINDOW_BYTES` is closed when the router has read it to its end: a Close frame
 * starts a timer that would cut off what a slow client has not taken. This long the router may take, then it is closed
 * all the same.
 */
export const V1_LINGER_MS = 5 * 60_000
