/** `node grpc-origin.mjs PORT`: a gRPC service whose only method returns the message it is given. HTTP/2 without TLS. */
import { createServer } from 'node:http2'

const server = createServer()
server.on('stream', (stream) => {
  const body = []
  stream.on('error', () => undefined)
  stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
  stream.on('data', (chunk) => body.push(chunk))
  stream.on('end', () => {
    if (stream.destroyed) return
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true })
    stream.end(Buffer.concat(body))
  })
})
server.listen(Number(process.argv[2]), '127.0.0.1', 4096)
