import type { Socket } from 'node:net'

/** What a client that knows that it speaks HTTP/2 sends first (RFC 9113 §3.4). No HTTP/1 request begins like it. */
const PREFACE = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')

/**
 * Reads the first bytes of a connection, says which HTTP they are of, and puts them back. HTTP/1 is known by its first byte, mostly. A client that has
 * not said enough after `timeout` ms is closed.
 */
export function chooseProtocol(socket: Socket, timeout: number, chosen: (isHttp2: boolean) => void): void {
  let seen: Buffer = Buffer.alloc(0)
  const timer = setTimeout(() => socket.destroy(), timeout)
  const stop = (): void => {
    clearTimeout(timer)
    socket.off('data', onData)
    socket.off('end', onEnd)
    socket.off('close', stop)
    socket.off('error', ignore)
  }
  const decide = (isHttp2: boolean): void => {
    stop()
    socket.pause()
    if (seen.length > 0) socket.unshift(seen)
    chosen(isHttp2)
  }
  const onData = (chunk: Buffer): void => {
    seen = seen.length === 0 ? chunk : Buffer.concat([seen, chunk])
    const length = Math.min(seen.length, PREFACE.length)
    if (seen.compare(PREFACE, 0, length, 0, length) !== 0) decide(false)
    else if (length === PREFACE.length) decide(true)
  }
  const onEnd = (): void => {
    stop()
    socket.destroy()
  }
  socket.on('data', onData)
  socket.on('end', onEnd)
  socket.on('close', stop)
  socket.on('error', ignore)
}

function ignore(): void {
  // 'close' follows.
}
