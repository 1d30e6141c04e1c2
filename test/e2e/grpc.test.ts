/** gRPC end to end: a real client, the router, the connector, a real service. */
import { EventEmitter, once } from 'node:events'
import { constants, type IncomingHttpHeaders } from 'node:http2'
import { Metadata, type ServiceError, status } from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { silentLogger } from '../../protocol/logger.js'
import { certificate } from '../support/certificate.js'
import { EchoClient, EchoService, FAILURES } from '../support/grpc.js'
import { Http2Client } from '../support/http2-client.js'
import { type Pair, startPair } from '../support/pair.js'

const seen = new EventEmitter()
let service: EchoService
beforeAll(async () => {
  service = await EchoService.start(seen)
})
afterAll(() => {
  service.stop()
})

const target = () => `http://127.0.0.1:${service.port}`
const failure = async (reply: Promise<unknown>): Promise<ServiceError> => {
  try {
    await reply
  } catch (error) {
    return error as ServiceError
  }
  throw new Error('the call succeeded')
}

/** The head of the response to a call, and the flags of its last frame. */
async function callByHand(port: number, method: string, tls = false) {
  const client = new Http2Client(port, { tls })
  const fields = { ':method': 'POST', ':path': `/test.Echo/${method}`, te: 'trailers' }
  const stream = client.open({ ...fields, 'content-type': 'application/grpc+proto' }, false)
  stream.end(Buffer.alloc(5))
  const [headers, flags] = (await once(stream, 'response')) as [IncomingHttpHeaders, number]
  client.destroy()
  return { headers, flags }
}

describe.each(['h2c', 'TLS'])('gRPC over 3.0, the client over %s', (way) => {
  let pair: Pair
  let client: EchoClient
  beforeAll(async () => {
    const tls = way === 'TLS'
    pair = await startPair({
      version: '3.0',
      target: target(),
      router: tls
        ? { tls: { cert: certificate.cert, key: certificate.key }, registrationTls: false }
        : { http2Cleartext: true },
      connector: { targetProtocol: 'http2' },
    })
    client = new EchoClient(pair.port, tls ? certificate.cert : undefined)
  })
  afterAll(async () => {
    client.close()
    await pair[Symbol.asyncDispose]()
  })

  it('carries a unary call with its metadata, before and after the message', async () => {
    const metadata = new Metadata()
    metadata.set('x-echo', 'hello')
    const reply = await client.unary('unary', 'question', metadata)
    expect(reply.text).toBe('question')
    expect(reply.metadata.get('x-echo')).toEqual(['hello'])
    expect(reply.status.metadata.get('x-trailer')).toEqual(['after'])
    expect(reply.status.metadata.get('x-bytes-bin')).toEqual([Buffer.from([0, 255])])
  })

  it('carries a stream of the client', async () => {
    const parts = Array.from({ length: 50 }, (_, i) => Buffer.alloc(10_000, i))
    expect((await client.collect(parts)).equals(Buffer.concat(parts))).toBe(true)
  })

  it('carries a stream of the service', async () => {
    const got = await client.count(500)
    expect(got).toEqual(Array.from({ length: 500 }, (_, i) => String(i + 1)))
  })

  it('carries a conversation, message by message', async () => {
    const call = client.chat()
    for (const word of ['a', 'b', 'c']) {
      call.write(Buffer.from(word))
      const [answer] = (await once(call, 'data')) as [Buffer]
      expect(answer.toString()).toBe(word)
    }
    call.end()
    call.resume()
    const [end] = (await once(call, 'status')) as [{ code: number }]
    expect(end.code).toBe(status.OK)
  })

  it.each(FAILURES)(
    'carries the status %s of a response without a message, its text and its metadata',
    async (code) => {
      const error = await failure(client.unary('fail', String(code)))
      expect([error.code, error.details, error.metadata.get('x-why')]).toEqual([code, 'no: 100 % ä', ['because']])
    },
  )

  it('keeps a response that is only a head one frame, which is how clients know its status', async () => {
    const { headers, flags } = await callByHand(pair.port, 'nothing', way === 'TLS')
    expect(headers).toMatchObject({ ':status': 200, 'grpc-status': String(status.UNIMPLEMENTED) })
    expect(flags & constants.NGHTTP2_FLAG_END_STREAM).not.toBe(0)
  })

  it('tells the service of a deadline, and that it has passed', async () => {
    const deadline = once(seen, 'deadline') as Promise<[Date]>
    const cancelled = once(seen, 'cancelled')
    const at = Date.now() + 500
    const error = await failure(client.unary('never', 'x', new Metadata(), at))
    expect(error.code).toBe(status.DEADLINE_EXCEEDED)
    const [told] = await deadline
    expect(Math.abs(Number(told) - at)).toBeLessThan(400)
    await cancelled
  })

  it('tells the service that a call was cancelled', async () => {
    const call = client.chat()
    call.on('error', () => undefined)
    call.write(Buffer.from('x'))
    await once(call, 'data')
    const cancelled = once(seen, 'cancelled')
    call.cancel()
    await cancelled
  })

  it('carries metadata of 40 KiB, in pieces', async () => {
    const metadata = new Metadata()
    for (let i = 0; i < 10; i++) metadata.set(`x-large-${i}`, 'y'.repeat(4_000))
    metadata.set('x-echo', 'z'.repeat(8_000))
    const reply = await client.unary('unary', 'q', metadata)
    expect(reply.metadata.get('x-echo')).toEqual(['z'.repeat(8_000)])
  })

  it('carries 1,000 calls at once', { timeout: 60_000 }, async () => {
    const calls = Array.from({ length: 1_000 }, (_, i) => client.unary('unary', String(i)))
    const replies = await Promise.all(calls)
    expect(replies.map((reply) => reply.text)).toEqual(Array.from({ length: 1_000 }, (_, i) => String(i)))
  })
})

describe('gRPC where no connector of the route carries trailers', () => {
  it('is refused with UNIMPLEMENTED over 1.0, and with what to do', async () => {
    await using pair = await startPair({ version: '1.0', target: target(), router: { http2Cleartext: true } })
    const client = new EchoClient(pair.port)
    const error = await failure(client.unary('unary', 'x'))
    client.close()
    expect(error.code).toBe(status.UNIMPLEMENTED)
    expect(error.details).toContain('needs a connector that carries trailers (protocol 3.0)')
  })

  it('answers HTTP 200 with the status in a head that is all there is', async () => {
    await using pair = await startPair({ version: '1.0', target: target(), router: { http2Cleartext: true } })
    const { headers, flags } = await callByHand(pair.port, 'unary')
    expect(headers).toMatchObject({ ':status': 200, 'content-type': 'application/grpc', 'grpc-status': '12' })
    expect(headers['proxy-status']).toContain('CRANKER_ERR_NO_TRAILERS')
    expect(flags & constants.NGHTTP2_FLAG_END_STREAM).not.toBe(0)
  })

  it('goes to the 3.0 connector of a mixed fleet, always', async () => {
    await using pair = await startPair({
      version: 'mixed',
      target: target(),
      router: { http2Cleartext: true },
      connector: { targetProtocol: 'http2' },
    })
    const client = new EchoClient(pair.port)
    const replies = await Promise.all(Array.from({ length: 30 }, (_, i) => client.unary('unary', String(i))))
    client.close()
    expect(replies).toHaveLength(30)
  })

  it('leaves gRPC-Web alone, whose trailers are part of the body', async () => {
    await using pair = await startPair({ version: '1.0', router: { http2Cleartext: true } })
    pair.serve((req, res) => res.end(req.headers['content-type']))
    const client = new Http2Client(pair.port)
    const { text } = await client.fetch({ ':method': 'POST', 'content-type': 'application/grpc-web+proto' }, 'x')
    client.destroy()
    expect(text).toBe('application/grpc-web+proto')
  })
})

describe('gRPC to a connector that was not told to speak HTTP/2', () => {
  it('ends in UNAVAILABLE, and the log of the connector says what to do', async () => {
    const complaints: unknown[] = []
    const warn = (fields: Record<string, unknown>): unknown => complaints.push(fields['complaint'])
    await using pair = await startPair({
      version: '3.0',
      target: target(),
      router: { http2Cleartext: true },
      connector: { logger: { ...silentLogger, warn } },
    })
    const client = new EchoClient(pair.port)
    const error = await failure(client.unary('unary', 'x'))
    client.close()
    expect(error.code).toBe(status.UNAVAILABLE)
    expect(complaints).toEqual([expect.stringContaining('--target-protocol http2')])
  })
})

describe('gRPC when the service is away', () => {
  it('is told UNAVAILABLE', async () => {
    await using pair = await startPair({
      version: '3.0',
      target: 'http://127.0.0.1:1',
      router: { http2Cleartext: true },
      connector: { targetProtocol: 'http2' },
    })
    const client = new EchoClient(pair.port)
    const error = await failure(client.unary('unary', 'x'))
    client.close()
    expect([error.code, error.details]).toEqual([
      status.UNAVAILABLE,
      expect.stringContaining('CRANKER_ERR_TARGET_UNREACHABLE'),
    ])
  })
})
