/** A unary gRPC call as it is on the wire. */
import { once } from 'node:events'
import { connect } from 'node:http2'
import { answers } from './processes.mjs'

/** Five bytes (not compressed, length), then the message. */
export const MESSAGE = Buffer.concat([Buffer.from([0, 0, 0, 0, 25]), Buffer.alloc(25, 'g')])
export const FIELDS = { 'content-type': 'application/grpc', te: 'trailers' }
export const METHOD_PATH = '/bench.Echo/Unary'

/**
 * Resolves when a call comes back with its message and a status in its trailers: h2load looks at neither.
 * @param {number} port
 */
export function readyForGrpc(port) {
  return answers(port, async () => {
    const session = connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false })
    try {
      // An error of the session is one of the stream, too.
      session.on('error', () => undefined)
      const stream = session.request({ ':method': 'POST', ':path': METHOD_PATH, ...FIELDS })
      let answer = Buffer.alloc(0)
      let status
      stream.on('data', (chunk) => (answer = Buffer.concat([answer, chunk])))
      stream.on('trailers', (trailers) => (status = trailers['grpc-status']))
      stream.end(MESSAGE)
      await once(stream, 'end')
      return status === '0' && answer.equals(MESSAGE) ? 200 : `grpc-status ${status}`
    } finally {
      session.destroy()
    }
  })
}
