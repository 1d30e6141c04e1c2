import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { CrankerError } from '../../../protocol/errors.js'
import type { Exchange } from '../../../protocol/session.js'
import { type Body, Both, capabilities, GET, OK, POST, random, type Request, type Response } from './harness.js'

/** Bytes that say where they belong. */
function bodyOf(seed: number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  let state = seed * 2_654_435_761
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) | 0
    bytes[i] = state >>> 16
  }
  return bytes
}

function digest(buffers: readonly Buffer[]): string {
  const hash = createHash('sha256')
  for (const buffer of buffers) hash.update(buffer)
  return hash.digest('hex')
}

/** Writes a body in pieces of random sizes, waiting when told to. */
class Writer {
  readonly #exchange: Exchange
  readonly #bytes: Buffer
  readonly #next: () => number
  #at = 0
  #open = true
  done = false

  constructor(exchange: Exchange, receiver: Body, bytes: Buffer, next: () => number) {
    this.#exchange = exchange
    this.#bytes = bytes
    this.#next = next
    receiver.onRoom = () => (this.#open = true)
  }

  step(): void {
    if (this.done || !this.#open) return
    const size = Math.ceil(this.#next() ** 5 * 90_000)
    const piece = this.#bytes.subarray(this.#at, this.#at + size)
    this.#at += size
    if (this.#at < this.#bytes.length) {
      this.#open = this.#exchange.write(piece)
    } else {
      this.done = true
      if (this.#next() < 0.5) this.#exchange.end(piece)
      else {
        this.#exchange.write(piece)
        this.#exchange.end()
      }
    }
  }
}

/** Takes what has come in random portions, later. */
class Reader {
  readonly #body: Body
  readonly #next: () => number
  #consumed = 0

  constructor(body: Body, next: () => number) {
    this.#body = body
    this.#next = next
    body.consumes = false
  }

  step(): void {
    const left = this.#body.bytes - this.#consumed
    if (left === 0) return
    const bytes = Math.ceil(left * this.#next())
    this.#consumed += bytes
    this.#body.exchange?.consumed(bytes)
  }
}

describe.each(Array.from({ length: 12 }, (_, i) => i + 1))('random interleaving, seed %d', (seed) => {
  it('brings every body across intact, and ends every exchange once', () => {
    const next = random(seed)
    const both = new Both({
      latency: Math.floor(next() * 30),
      bandwidth: 500 + next() * 20_000,
      capabilities: next() < 0.5 ? capabilities() : capabilities('trailers', 'refuse', 'goaway', 'informational'),
      record: false,
      onRequest: (request) => accept(request),
    })
    const length = (): number => (next() < 0.3 ? 0 : Math.floor(next() ** 4 * 400_000))
    const actors: { step(): void }[] = []
    const pending: (() => void)[] = []
    const exchanges: { response: Response; up: string; down: string; request: Request | undefined; cut: boolean }[] = []

    function accept(request: Request): void {
      const index = Number(request.head.target.slice(1))
      const exchange = exchanges[index] as (typeof exchanges)[number]
      exchange.request = request
      actors.push(new Reader(request, next))
      const down = bodyOf(1_000 + index, length())
      exchange.down = digest([down])
      // The response may begin before the request has ended, but ends after it, or the rest would be dropped.
      pending.push(() => {
        request.response.head(OK, false)
        const writer = new Writer(request.response, request, down, next)
        actors.push({
          step: () => {
            if (request.ends === 1 || down.length > 50_000) if (request.ends === 1 || !writer.done) writer.step()
          },
        })
      })
    }

    const total = 40
    for (let round = 0; round < 200_000; round++) {
      const dice = next()
      if (exchanges.length < total && dice < 0.02) {
        const index = exchanges.length
        const up = bodyOf(index, length())
        const exchange = { response: undefined as never, up: digest([up]), down: '', request: undefined, cut: false }
        exchanges.push(exchange)
        const response = both.open({ ...(up.length > 0 ? POST : GET), target: `/${index}` }, up.length === 0)
        Object.assign(exchange, { response })
        actors.push(new Reader(response, next))
        if (up.length > 0) actors.push(new Writer(response.exchange as Exchange, response, up, next))
      } else if (dice < 0.05 && pending.length > 0) {
        pending.splice(Math.floor(next() * pending.length), 1)[0]?.()
      } else if (dice < 0.0502 && exchanges.filter((e) => e.cut).length < 8 && exchanges.length > 0) {
        const exchange = exchanges[Math.floor(next() * exchanges.length)]
        if (exchange !== undefined && exchange.response.ends === 0) {
          exchange.cut = true
          exchange.response.exchange?.reset(new CrankerError('CRANKER_ERR_CLIENT_GONE', 'gone'))
        }
      } else if (dice < 0.5) {
        actors[Math.floor(next() * actors.length)]?.step()
      } else if (dice < 0.8) {
        both.pair.deliver()
      } else {
        both.clock.advance(next() * 5)
      }
      if (
        exchanges.length === total &&
        exchanges.every((e) => e.response.ends + e.response.errors.length > 0 || e.cut)
      ) {
        break
      }
    }
    for (let i = 0; i < 200; i++) both.clock.advance(20)

    for (const { response, request, up, down, cut } of exchanges) {
      if (cut) {
        expect([response.ends, response.errors]).toEqual([0, []])
        if (request !== undefined) expect(request.errors.length).toBeLessThanOrEqual(1)
        continue
      }
      expect([response.ends, response.codes]).toEqual([1, []])
      expect(digest(response.chunks)).toBe(down)
      if (request?.ends === 1) expect(digest(request.chunks)).toBe(up)
    }
    expect(exchanges.filter((exchange) => !exchange.cut).length).toBeGreaterThan(20)
    expect([both.router.load, both.connector.load]).toEqual([0, 0])
    expect([both.routerEvents.ended, both.connectorEvents.ended]).toEqual([[], []])
  })
})
