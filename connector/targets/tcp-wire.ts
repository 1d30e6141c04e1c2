import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import type { Clock, Timer } from '../../protocol/clock.js'
import { resetSocket } from '../../protocol/reset-socket.js'
import { connectOptions, type TcpAddress } from './open-socket.js'
import type { Dial, Wire, WireHandler } from './wire.js'

export function tcpDial(address: TcpAddress, clock: Clock): Dial {
  return (handler) => new TcpWire(address, clock, handler)
}

/** What is read is handled before anything else is, so that all connections can share the memory. */
const received = Buffer.allocUnsafeSlow(64 * 1024)
/** Windows reads into the buffer before it tells: there each read needs one of its own. */
const canShare = process.platform !== 'win32'

class TcpWire implements Wire {
  readonly #socket: Socket | TLSSocket
  readonly #handler: WireHandler
  #connectTimer: Timer | undefined
  #error: Error | undefined
  #corked = false

  constructor(address: TcpAddress, clock: Clock, handler: WireHandler) {
    this.#handler = handler
    // The target may finish before we do once it has switched protocols; otherwise its end is ours too.
    const options = { ...connectOptions(address), allowHalfOpen: true }
    // A buffer per read would be the garbage collector's main load; a TLS socket makes its own in any case.
    const shared = canShare && !address.tls
    const onread = {
      buffer: received,
      callback: (bytes: number): boolean => {
        handler.onData(received.subarray(0, bytes))
        return true
      },
    }
    // RFC 6066 §3: an IP address is no server name; node leaves it out by itself.
    const socket = address.tls
      ? connectTls({ ...options, ALPNProtocols: ['http/1.1'] })
      : connectTcp(shared ? { ...options, onread } : options)
    this.#socket = socket
    readAfterFailedWrite(socket, (error) => {
      this.#error ??= error
      // The first one may run in this very turn, before the next poll.
      setImmediate(() => setImmediate(() => socket.destroy()))
    })
    this.#connectTimer = clock.timer(() => {
      this.#error = new Error(`no connection within ${address.connectTimeout} ms`)
      socket.destroy()
    }, address.connectTimeout)
    socket.once(address.tls ? 'secureConnect' : 'connect', () => {
      this.#connectTimer?.clear()
      this.#connectTimer = undefined
      handler.onConnect()
    })
    if (!shared) {
      socket.on('data', (chunk: Buffer) => {
        handler.onData(chunk)
      })
    }
    socket.on('drain', () => {
      handler.onDrain()
    })
    socket.on('end', () => {
      // After a failed write this is the reset, and no end of anything.
      if (this.#error === undefined) handler.onEnd()
    })
    socket.on('error', (error: Error) => {
      this.#error ??= error
    })
    socket.once('close', () => {
      this.#connectTimer?.clear()
      handler.onClose(this.#error)
    })
  }

  write(data: string | Buffer): boolean {
    return typeof data === 'string' ? this.#socket.write(data, 'latin1') : this.#socket.write(data)
  }

  end(): void {
    this.#socket.end()
  }

  corkTurn(): void {
    if (this.#corked) return
    this.#corked = true
    this.#socket.cork()
    process.nextTick(uncork, this)
  }

  uncorkNow(): void {
    this.#corked = false
    this.#socket.uncork()
  }

  pause(): void {
    this.#socket.pause()
  }

  resume(): void {
    this.#socket.resume()
  }

  destroy(): void {
    this.#socket.destroy()
  }

  reset(): void {
    resetSocket(this.#socket)
  }
}

function uncork(wire: TcpWire): void {
  wire.uncorkNow()
}

type WriteCallback = (error?: Error | null) => void

/**
 * A target may answer before it has read the request (413) and close: then our next write fails although the answer
 * lies in the receive queue, and node drops what it reads from a socket with an error. So a failed write is kept from
 * the stream; `onFailed` is called when the event loop has read what precedes the reset, which is there by then.
 */
function readAfterFailedWrite(socket: Socket, onFailed: (error: Error) => void): void {
  let failed = false
  const guard = (callback: WriteCallback): WriteCallback => {
    return (error) => {
      if (error !== undefined && error !== null && !failed) {
        failed = true
        onFailed(error)
      }
      callback()
    }
  }
  const write = socket._write.bind(socket)
  socket._write = (chunk, encoding, callback) => {
    if (failed) callback()
    else write(chunk, encoding, guard(callback))
  }
  const writev = socket._writev?.bind(socket)
  if (writev === undefined) return
  socket._writev = (chunks, callback) => {
    if (failed) callback()
    else writev(chunks, guard(callback))
  }
}
