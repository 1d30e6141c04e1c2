import { Duplex } from 'node:stream'
import type { WireHandler } from './wire.js'

type WriteCallback = (error?: Error | null) => void

/**
 * The server's end of a connection inside this process. What `node:http` and the frameworks on it ask of a
 * `net.Socket` is here; no port is open and no system call is made.
 */
export class InProcessSocket extends Duplex {
  // Like a connection over loopback, so that `trust proxy` settings of frameworks mean the same in both.
  readonly remoteAddress = '127.0.0.1'
  readonly remoteFamily = 'IPv4'
  readonly remotePort = 0
  readonly localAddress = '127.0.0.1'
  readonly localFamily = 'IPv4'
  readonly localPort = 0
  readonly connecting = false
  readonly pending = false
  bytesRead = 0
  bytesWritten = 0
  timeout = 0
  /** False after the application fell behind, until it reads again and `onDrain` is called. */
  wantsMore = true

  readonly #handler: WireHandler
  #timer: NodeJS.Timeout | undefined
  #paused = false
  #heldWrite: WriteCallback | undefined
  #ended = false

  constructor(handler: WireHandler) {
    super({ decodeStrings: false, allowHalfOpen: true })
    this.#handler = handler
    this.on('error', noop)
  }

  /** Bytes from the tunnel for the application. */
  deliver(chunk: Buffer): void {
    this.bytesRead += chunk.length
    this.#timer?.refresh()
    this.wantsMore = this.push(chunk)
  }

  /** Nothing more comes from the tunnel. */
  deliverEnd(): void {
    this.push(null)
    // As net.Socket does: whoever reads nothing hears of the end all the same.
    if (this.readableLength === 0) this.read(0)
  }

  /** The application's writes are not answered until `letGo()`. */
  holdBack(): void {
    this.#paused = true
  }

  letGo(): void {
    this.#paused = false
    const held = this.#heldWrite
    this.#heldWrite = undefined
    held?.()
  }

  override _read(): void {
    if (this.wantsMore) return
    this.wantsMore = true
    this.#handler.onDrain()
  }

  override _write(chunk: Buffer | string, encoding: BufferEncoding, callback: WriteCallback): void {
    // `node:http` ends a response with an empty write; nothing of it would be seen on a real connection.
    if (chunk.length === 0) {
      callback()
      return
    }
    // Borrowed, as the tunnel copies what it does not send at once: the application may fill its buffer again.
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk, encoding) : chunk
    this.bytesWritten += bytes.length
    this.#timer?.refresh()
    this.#handler.onData(bytes)
    if (this.#paused) this.#heldWrite = callback
    else callback()
  }

  override _final(callback: WriteCallback): void {
    this.#ended = true
    this.#handler.onEnd()
    callback()
  }

  override _destroy(error: Error | null, callback: WriteCallback): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const cause = error ?? (this.#ended ? undefined : new Error('the application destroyed the connection'))
    process.nextTick(close, this.#handler, cause)
    callback(error)
  }

  setTimeout(ms: number, callback?: () => void): this {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.timeout = ms
    if (ms > 0) {
      this.#timer = setTimeout(() => this.emit('timeout'), ms).unref()
      if (callback !== undefined) this.once('timeout', callback)
    } else if (callback !== undefined) {
      this.off('timeout', callback)
    }
    return this
  }

  setNoDelay(): this {
    return this
  }

  setKeepAlive(): this {
    return this
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  address(): { address: string; family: string; port: number } {
    return { address: this.localAddress, family: this.localFamily, port: this.localPort }
  }

  /** `node:http` ends a connection that is not kept alive with this. */
  destroySoon(): void {
    if (this.writable) this.end()
    if (this.writableFinished) this.destroy()
    else this.once('finish', () => this.destroy())
  }

  resetAndDestroy(): this {
    return this.destroy()
  }
}

function close(handler: WireHandler, error: Error | undefined): void {
  handler.onClose(error)
}

function noop(): void {}
