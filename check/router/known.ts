/** Where published routers deviate from docs/protocol.md, as the kit has seen it (section 10 says what it means in practice). */
import type { KnownDeviations, KnownPeer } from '../like.js'

/** The same reason for several cases. */
function all(reason: string, ...ids: readonly string[]): KnownDeviations {
  return Object.fromEntries(ids.map((id) => [id, reason]))
}

const ANY_ROUTE_NAME = all('takes any route name', ...[14, 15, 16, 17, 18, 19].map((number) => `R2.${String(number)}`))
const SHARED: KnownDeviations = {
  ...ANY_ROUTE_NAME,
  ...all('names other statuses', 'R2.21'),
  ...all('keeps a 3.0 socket open after its last exchange', 'R2.23@3.0'),
  ...all('1.0 sockets are taken whatever their domain', 'R2.13@1.0'),
  ...all('ends 3.0 heads with an empty line', 'R3.2@3.0'),
  ...all('a line that is no field is an error', 'R3.13'),
  ...all('does not answer 502 for a malformed status line', 'R3.14'),
  ...all('only Close 1000 is success', 'R4.6'),
  ...all('answers 500 for what fails', 'R4.7', 'R4.10', 'R9.2@1.0'),
  ...all('answers 500 for Close 1008', 'R4.9'),
  ...all('splits heads at 16,000 characters, not bytes', 'R5.7'),
  ...all('decodes each part of a head by itself', 'R5.8'),
  ...all('lets a response overrun its window', 'R5.25'),
  ...all('DATA before HEADER begins a response, or ends in 500', 'R5.34'),
  ...all('ends the socket, or its exchanges, for a short WINDOW_UPDATE', 'R5.35'),
  ...all('routes are the first segment of a path', 'R8.2'),
  ...all('forwards proxy-connection and http2-settings', 'R8.10'),
  ...all('forwards what Connection names in responses', 'R8.11'),
  ...all('keeps what clients claim in Via and Forwarded', 'R8.12'),
  ...all('removes a fragment and forwards the rest', 'R8.22'),
  ...all('does not check content-length and transfer-encoding of responses', 'R8.34', 'R8.36', 'R8.37'),
}

export const muRouter: KnownPeer = {
  title: 'mu-cranker-router 2.0.4 (Java)',
  role: 'router',
  deviations: {
    ...SHARED,
    ...all('answers 500 when no version fits', 'R2.6'),
    ...all('takes a carriage return or a space for a part of the value', 'R3.6', 'R3.7'),
    ...all('a text message disturbs the exchanges of its socket', 'R5.31'),
    ...all('ends the socket for an unreadable head', 'R5.33'),
    ...all('waits for sockets on 1.0 only', 'R8.5@3.0'),
    ...all('answers a redirect for a path that begins with //', 'R8.23'),
    ...all('answers 500 for a malformed content-length', 'R8.35@3.0'),
    ...all('takes a second HEADER block for another head', 'R9.9'),
  },
}

export const rsRouter: KnownPeer = {
  title: 'scr-axum-cranker-router 0.0.14 (Rust)',
  role: 'router',
  deviations: {
    ...SHARED,
    ...all('echoes cranker_1.0 in CrankerProtocol', 'R2.5'),
    ...all('a deregistration on 3.0 reaches other instances too', 'R2.24@3.0'),
    ...all('answers 500 to a deregistration without an id', 'R2.25'),
    ...all('groups fields by name', 'R3.4'),
    ...all('empties values that are not ASCII', 'R3.5'),
    ...all('a repeated request line is an error', 'R3.10'),
    ...all('messages as large as they come', 'R4.2'),
    ...all('answers 500 when the socket is lost', 'R4.12'),
    ...all('does not tell that the client left', 'R4.14', 'R4.15', 'R5.12'),
    ...all('frames of up to 65,542 bytes', 'R5.3'),
    ...all('answers 500 for RST_STREAM', 'R5.9', 'R9.2@3.0'),
    ...all('shows the text of RST_STREAM to clients', 'R5.11'),
    ...all('ignores a short frame', 'R5.32'),
    ...all('forwards targets as they come', 'R8.21', 'R8.25'),
    ...all('breaks the connection off for a malformed content-length', 'R8.35'),
  },
}
