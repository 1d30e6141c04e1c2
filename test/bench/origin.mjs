/** `node origin.mjs PORT`: the service on a port of its own. */
import { createServer } from 'node:http'
import { WebSocketServer } from 'ws'
import { app } from './origin-app.mjs'

const server = createServer({ keepAliveTimeout: 600_000 }, app).listen(Number(process.argv[2]), '127.0.0.1', 4096)
new WebSocketServer({ server, perMessageDeflate: false }).on('connection', (socket) => {
  socket.on('error', () => undefined)
  socket.on('message', (message, binary) => socket.send(message, { binary }))
})
