import { Buffer } from 'node:buffer'
import type { CrankerError } from '../../protocol/errors.js'
import type { RawHeaders, ResponseHead } from '../../protocol/head.js'
import type { BodyHandler, ResponseExchange } from '../../protocol/session.js'

/** One call that a target made. */
export type ExchangeCall =
  | { readonly kind: 'head'; readonly head: ResponseHead; readonly end: boolean }
  | { readonly kind: 'info'; readonly head: ResponseHead }
  | { readonly kind: 'write'; readonly chunk: Buffer }
  | { readonly kind: 'end'; readonly chunk: Buffer | undefined; readonly trailers: RawHeaders | undefined }
  | { readonly kind: 'reset'; readonly error: CrankerError }
  | { readonly kind: 'consumed'; readonly bytes: number }

/**
 * A connector's exchange without a tunnel: records what a target does with it, and throws at what breaks the contract
 * (a second head, a call after the end). `room` plays the backpressure.
 */
export class ScriptedExchange implements ResponseExchange {
  readonly id = 1
  upgrade = false
  carriesTrailers = true
  readonly calls: ExchangeCall[] = []
  /** What `write` answers. */
  room = true
  bytes = 0
  consumedBytes = 0
  over = false
  readonly #waiting = new Set<() => void>()

  head(head: ResponseHead, end: boolean): void {
    if (this.response !== undefined) throw new Error('a second head')
    this.over = end
    this.#record({ kind: 'head', head, end })
  }

  info(head: ResponseHead): void {
    this.#record({ kind: 'info', head })
  }

  write(chunk: Buffer): boolean {
    if (this.response === undefined) throw new Error('a body before the head')
    this.bytes += chunk.length
    this.#record({ kind: 'write', chunk: Buffer.from(chunk) })
    return this.room
  }

  end(chunk?: Buffer, trailers?: RawHeaders): void {
    if (this.response === undefined) throw new Error('an end before the head')
    if (this.over) throw new Error('a second end')
    this.over = true
    this.bytes += chunk?.length ?? 0
    this.#record({ kind: 'end', chunk: chunk === undefined ? undefined : Buffer.from(chunk), trailers })
  }

  reset(error: CrankerError): void {
    if (this.over) throw new Error('a reset after the end')
    this.over = true
    this.#record({ kind: 'reset', error })
  }

  consumed(bytes: number): void {
    this.consumedBytes += bytes
    this.#record({ kind: 'consumed', bytes })
  }

  get response(): ResponseHead | undefined {
    for (const call of this.calls) if (call.kind === 'head') return call.head
    return undefined
  }

  get infos(): ResponseHead[] {
    return this.calls.flatMap((call) => (call.kind === 'info' ? [call.head] : []))
  }

  get body(): Buffer {
    return Buffer.concat(
      this.calls.flatMap((call) =>
        (call.kind === 'write' || call.kind === 'end') && call.chunk !== undefined ? [call.chunk] : [],
      ),
    )
  }

  get trailers(): RawHeaders | undefined {
    for (const call of this.calls) if (call.kind === 'end') return call.trailers
    return undefined
  }

  get error(): CrankerError | undefined {
    for (const call of this.calls) if (call.kind === 'reset') return call.error
    return undefined
  }

  /** Resolves when `condition` holds, looking after every call. */
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve) => {
      const look = (): void => {
        if (!condition()) return
        this.#waiting.delete(look)
        resolve()
      }
      this.#waiting.add(look)
      look()
    })
  }

  /** Resolves at the end of the exchange, whichever it was. */
  ended(): Promise<void> {
    return this.until(() => this.over)
  }

  #record(call: ExchangeCall): void {
    if (this.over && (call.kind === 'write' || call.kind === 'info')) throw new Error(`${call.kind} after the end`)
    this.calls.push(call)
    for (const look of [...this.#waiting]) look()
  }
}

/** Sends a whole body through a target's handler. */
export function sendBody(handler: BodyHandler | undefined, ...chunks: (string | Buffer)[]): void {
  if (handler === undefined) throw new Error('the target ended the exchange at once')
  for (const chunk of chunks) handler.onData(typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : chunk)
  handler.onEnd(undefined)
}
