/** HTTP/2 clients that others wrote. Those that this machine does not have are skipped. */
import { execFile, spawnSync } from 'node:child_process'
import { promisify } from 'node:util'
import { Agent } from 'undici'
import { afterEach, describe, expect, it } from 'vitest'
import { certificate } from '../support/certificate.js'
import { h2spec } from '../support/h2spec.js'
import {
  type HttpSide,
  type HttpSideOptions,
  type ScriptedExchange,
  startHttpSide,
} from '../support/scripted-session.js'

let side: HttpSide
afterEach(() => side.close())

const has = (command: string): boolean => spawnSync(command, ['--version']).status === 0
const run = async (command: string, ...args: readonly string[]): Promise<string> =>
  (await promisify(execFile)(command, args, { timeout: 60_000, maxBuffer: 2 ** 26 })).stdout

/** A body comes back; without one: the target. */
const play = (exchange: ScriptedExchange): void => {
  const answer = (): void => exchange.answer(exchange.bodyless ? exchange.head.target : exchange.body)
  void exchange.until(() => exchange.bodyless || exchange.ended).then(answer)
}
const start = async (options: HttpSideOptions): Promise<void> => {
  side = await startHttpSide({ play, ...options })
}
const plain: HttpSideOptions = { http2Cleartext: true }
const secure: HttpSideOptions = { tls: certificate }

describe.skipIf(!has('curl'))('curl (skipped where it is missing)', () => {
  it.each([
    ['--http2', secure, 'https', '2'],
    ['--http2-prior-knowledge', plain, 'http', '2'],
    ['--http1.1', plain, 'http', '1.1'],
    // Asks for an upgrade to h2c, which a server may ignore.
    ['--http2', plain, 'http', '1.1'],
  ] as const)('%s', async (flag, options, scheme, version) => {
    await start(options)
    const url = `${scheme}://127.0.0.1:${side.port}/x`
    const common = [
      '--silent',
      '--show-error',
      '--insecure',
      '--max-time',
      '20',
      flag,
      '--write-out',
      ' %{http_version}',
    ]
    expect(await run('curl', ...common, url)).toBe(`/x ${version}`)
    expect(await run('curl', ...common, '--data', 'some text', url)).toBe(`some text ${version}`)
    expect(await run('curl', ...common, '--head', '--output', '/dev/null', url)).toBe(` ${version}`)
  })
})

describe.skipIf(!has('nghttp'))('nghttp (skipped where it is missing)', () => {
  it('sees an ordinary response', async () => {
    await start(secure)
    const text = await run('nghttp', '--verbose', '--no-verify-peer', `https://127.0.0.1:${side.port}/x`)
    expect(text).toContain(':status: 200')
    expect(text).not.toMatch(/RST_STREAM|\[ERROR\]/)
  })
})

describe.skipIf(!has('h2load'))('h2load (skipped where it is missing)', () => {
  it.each([
    ['without TLS', plain, 'http'],
    ['over TLS', secure, 'https'],
  ] as const)('gets every answer, many at once, %s', async (_name, options, scheme) => {
    await start(options)
    const text = await run('h2load', '-n', '3000', '-c', '5', '-m', '100', `${scheme}://127.0.0.1:${side.port}/x`)
    expect(text).toContain('3000 succeeded, 0 failed, 0 errored, 0 timeout')
    expect(text).toContain('3000 2xx')
    expect(side.proxy.running).toBe(0)
  })
})

describe('undici', () => {
  it('speaks HTTP/2 with the router', async () => {
    await start(secure)
    const agent = new Agent({ allowH2: true, connect: { rejectUnauthorized: false } })
    const origin = `https://127.0.0.1:${side.port}`
    const ask = async (path: string, body?: Buffer): Promise<string> => {
      const answer = await agent.request({
        origin,
        path,
        method: body === undefined ? 'GET' : 'POST',
        body: body ?? null,
      })
      return answer.body.text()
    }
    expect(await Promise.all(['/1', '/2', '/3'].map((path) => ask(path)))).toEqual(['/1', '/2', '/3'])
    expect(await ask('/', Buffer.alloc(300_000, 'x'))).toHaveLength(300_000)
    expect((await side.entry()).httpVersion).toBe('2.0')
    await agent.close()
  })
})

/**
 * nghttp2 ignores frames on streams that are closed (one that is half closed is that as soon as it is answered), node
 * answers every fault of a session with INTERNAL_ERROR and ends it on an unasked PING acknowledgement, and what does not
 * begin like HTTP/2 is answered as HTTP/1.1 here. The last three are of newer versions of Node, which ignore PRIORITY
 * (RFC 9113 §5.3) and close without a word.
 */
const LEFT_OPEN: ReadonlySet<string> = new Set([
  'Sends invalid connection preface',
  'Sends a DATA frame on the stream that is not in "open" or "half-closed (local)" state',
  'half closed (remote): Sends a DATA frame',
  'closed: Sends a DATA frame after sending RST_STREAM frame',
  'closed: Sends a HEADERS frame after sending RST_STREAM frame',
  'closed: Sends a DATA frame',
  'closed: Sends a HEADERS frame',
  'Sends stream identifier that is numerically smaller than previous',
  'Sends a PING frame with ACK',
  'Sends multiple WINDOW_UPDATE frames increasing the flow control window to above 2^31-1',
  'Sends PRIORITY frame that depend on itself',
  'Sends a PRIORITY frame with 0x0 stream identifier',
  'Sends multiple WINDOW_UPDATE frames increasing the flow control window to above 2^31-1 on a stream',
])

describe('h2spec (skipped without go or its module proxy)', () => {
  it('finds nothing but what node leaves open', { timeout: 300_000 }, async (context) => {
    const command = await h2spec()
    if (command === undefined) return context.skip('h2spec cannot be had')
    await start(plain)
    const { stdout } = await promisify(execFile)(command, ['-h', '127.0.0.1', '-p', String(side.port), '-o', '4'], {
      timeout: 120_000,
    }).catch((failed: unknown) => failed as { stdout: string })
    const [, tests, passed] = /(\d+) tests, (\d+) passed/.exec(stdout) ?? []
    expect(Number(tests)).toBeGreaterThan(100)
    expect(Number(passed)).toBeGreaterThan(100)
    const failures = [...stdout.matchAll(/^ *\u00d7 \d+: (.*)$/gm)].map(([, title]) => title ?? '')
    expect(failures.filter((title) => !LEFT_OPEN.has(title)).join('\n')).toBe('')
  })
})
