/** `node tcp-proxy.mjs PORT TARGET_PORT`: passes bytes on, whatever they are. Two of these are the plain TCP chain. */
import { connect, createServer } from 'node:net'
import { pipeline } from 'node:stream'

const [port, target] = process.argv.slice(2).map(Number)

createServer({ allowHalfOpen: true, noDelay: true }, (front) => {
  const back = connect({ port: target, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
  // Either end may be cut: the other one is then, too.
  const done = (/** @type {Error | null | undefined} */ error) => {
    if (error) for (const socket of [front, back]) socket.destroy()
  }
  pipeline(front, back, done)
  pipeline(back, front, done)
}).listen(port, '127.0.0.1', 4096)
