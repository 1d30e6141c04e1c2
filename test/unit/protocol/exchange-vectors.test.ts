import { describe, expect, it } from 'vitest'
import { capabilitiesOf, parseExtensions } from '../../../protocol/extensions.js'
import type { RequestHead, ResponseHead } from '../../../protocol/head.js'
import { silentLogger } from '../../../protocol/logger.js'
import type { BodyHandler, Exchange, ProtocolVersion, RequestExchange } from '../../../protocol/session.js'
import { createConnectorSession, createRouterSession } from '../../../protocol/sessions.js'
import { decodeFrame } from '../../../protocol/v3/frame.js'
import { FakeClock } from '../../support/fake-clock.js'
import { type FakeLink, linkPair, type SentMessage } from '../../support/fake-link.js'
import { vectors } from '../../support/vectors.js'

type Message =
  { readonly text: string } | { readonly hex: string } | { readonly close: number | null } | { readonly lost: true }

interface Outcome {
  readonly status: number | null
  readonly body: string
  readonly end: string
  readonly headers?: string[]
  readonly trailers?: string[]
  readonly interim?: number[]
  readonly close?: number
  readonly code?: number
}

interface Common {
  readonly name: string
  readonly section: string
  readonly extensions?: string[]
  readonly frames?: string[]
  readonly messages?: Message[]
}

type ResponseVector = Common & { readonly outcome: Outcome }

type RequestVector = Common & {
  readonly id?: number
  readonly text?: string
  readonly ignored?: true
  readonly canonical?: true
  readonly request: (RequestHead & { readonly body: string; readonly trailers?: string[] }) | null
}

interface Exchanges {
  readonly responses: ResponseVector[]
  readonly requests: RequestVector[]
}

const files = { '1.0': vectors<Exchanges>('v1-exchanges'), '3.0': vectors<Exchanges>('v3-exchanges') } as const

function messagesOf({ frames, messages }: Common): Message[] {
  return messages ?? (frames ?? []).map((hex) => ({ hex }))
}

function say(link: FakeLink, message: Message): void {
  if ('text' in message) link.sendText(message.text)
  else if ('hex' in message) link.sendBinary(Buffer.from(message.hex, 'hex'))
  else if ('lost' in message) link.terminate()
  else link.close(message.close ?? 1005, '')
}

/** What one direction of an exchange came to. */
class Log implements BodyHandler {
  exchange: Exchange | undefined
  readonly chunks: Buffer[] = []
  head: ResponseHead | undefined
  readonly interim: number[] = []
  trailers: readonly string[] | undefined
  end: string | undefined

  onHead(head: ResponseHead): void {
    this.head = head
  }

  onInfo(head: ResponseHead): void {
    this.interim.push(head.status)
  }

  onData(chunk: Buffer): void {
    this.chunks.push(Buffer.from(chunk))
    this.exchange?.consumed(chunk.length)
  }

  onDrain(): void {}

  onEnd(trailers: readonly string[] | undefined): void {
    this.trailers = trailers
    this.end = 'complete'
  }

  onError({ code }: { readonly code: string }): void {
    this.end =
      code === 'CRANKER_ERR_REFUSED'
        ? 'refused'
        : code === 'CRANKER_ERR_PEER_REJECTED' && this.head === undefined
          ? 'rejected'
          : 'failed'
  }

  get body(): string {
    return Buffer.concat(this.chunks).toString('hex')
  }
}

const quiet = { onChange() {}, onGoaway() {}, onEnd() {} }

function setUp(version: ProtocolVersion, extensions: readonly string[] = []) {
  const pair = linkPair({ auto: false })
  const config = {
    clock: new FakeClock(),
    log: silentLogger,
    capabilities: capabilitiesOf(extensions, parseExtensions(extensions.join()), version),
  }
  return { pair, config }
}

const closeOf = (sent: readonly SentMessage[]) => sent.find((message) => message.kind === 'close')
const GET: RequestHead = { method: 'GET', target: '/', headers: [] }

describe.each(['1.0', '3.0'] as const)('the %s vectors', (version) => {
  const { responses, requests } = files[version]

  it.each(responses)('response, section $section: $name', (vector) => {
    const { outcome, extensions } = vector
    const { pair, config } = setUp(version, extensions)
    const session = createRouterSession(version, { ...config, link: pair.router }, quiet)
    const log = new Log()
    log.exchange = session.open(GET, true, log)
    pair.settle()
    for (const message of messagesOf(vector)) {
      if ('lost' in message) pair.settle()
      say(pair.connector, message)
    }
    pair.settle()
    const close = closeOf(pair.router.sent)
    const ends = version === '1.0' ? [outcome.end] : [outcome.end.replace(/^(?:reset|socket closed)$/, 'failed')]
    expect(ends).toContain(log.end)
    expect({ status: log.head?.status ?? null, body: log.body }).toEqual({ status: outcome.status, body: outcome.body })
    if (outcome.headers !== undefined) expect(log.head?.headers).toEqual(outcome.headers)
    expect(log.trailers).toEqual(outcome.trailers)
    expect(log.interim).toEqual(outcome.interim ?? [])
    if (version === '3.0' && !(extensions ?? []).includes('goaway')) {
      expect(close === undefined ? undefined : close.code).toBe(outcome.close)
    }
  })

  it.each(requests)('request, section $section: $name', (vector) => {
    const { pair, config } = setUp(version, vector.extensions)
    const log = new Log()
    let head: RequestHead | undefined
    createConnectorSession(
      version,
      { ...config, link: pair.connector },
      {
        ...quiet,
        onRequest: (given, _end, exchange) => {
          head = given
          log.exchange = exchange
          return log
        },
      },
    )
    if (vector.text !== undefined) pair.router.sendText(vector.text)
    for (const message of messagesOf(vector)) say(pair.router, message)
    pair.settle()
    if (vector.request === null) {
      expect(head).toBeUndefined()
      const resets = pair.connector.binary.map(decodeFrame).filter(({ kind }) => kind === 'rst')
      const closed = closeOf(pair.connector.sent) !== undefined
      expect({ resets: resets.length, closed }).toEqual({
        resets: version === '3.0' && vector.ignored !== true ? 1 : 0,
        closed: version === '1.0',
      })
      return
    }
    const { body, trailers, ...expected } = vector.request
    expect(head).toEqual(expected)
    expect({ body: log.body, end: log.end, trailers: log.trailers }).toEqual({ body, end: 'complete', trailers })
  })

  it.each(requests.filter(({ canonical }) => canonical === true))('is what a router sends: $name', (vector) => {
    const { pair, config } = setUp(version)
    const session = createRouterSession(version, { ...config, link: pair.router }, quiet)
    const { body, ...head } = vector.request!
    const texts = messagesOf(vector).map((message) => ('text' in message ? message.text : ''))
    const hasBody = body !== '' || texts.includes('_3')
    const exchange: RequestExchange = session.open(head, !hasBody, new Log())
    if (hasBody) exchange.end(body === '' ? undefined : Buffer.from(body, 'hex'))
    pair.settle()
    const sent = pair.router.sent.flatMap((message): Message[] => {
      if (message.kind === 'text') return [{ text: message.text }]
      return message.kind === 'binary' ? [{ hex: message.data.toString('hex') }] : []
    })
    expect(sent).toEqual(messagesOf(vector))
  })

  it('name a section each', () => {
    for (const { section } of [...responses, ...requests]) expect(section).toMatch(/^\d(\.\d)?$/)
  })
})

describe('the extension vectors', () => {
  const { headers } = vectors<{
    headers: { name: string; value: string; extensions: Record<string, Record<string, string>> }[]
  }>('extensions')

  it.each(headers)('$name', ({ value, extensions }) => {
    const parsed = [...parseExtensions(value)].map(([name, parameters]) => [name, Object.fromEntries(parameters)])
    expect(Object.fromEntries(parsed)).toEqual(extensions)
  })
})
