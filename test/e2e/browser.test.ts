/** A real browser through the pair: WebSockets, HTTP/2. Skipped where no Chromium is installed (Debian: `apt-get install chromium`). */
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import { chromium } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { WebSocketServer } from 'ws'
import { certificate } from '../support/certificate.js'
import { startPair, versions } from '../support/pair.js'

const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) =>
  existsSync(path),
)
const skipped = executablePath === undefined ? ' (skipped: no Chromium in /usr/bin)' : ''

describe.skipIf(executablePath === undefined).each(versions)(`a browser over %s${skipped}`, (version) => {
  it('opens a WebSocket to the origin of its page, with compression and a subprotocol, and closes it', async () => {
    const server = createServer((_req, res) => res.setHeader('content-type', 'text/html').end('<title>page</title>'))
    const wss = new WebSocketServer({ server, perMessageDeflate: { threshold: 0 } })
    const closed = new Promise<string>((resolve) => {
      wss.on('connection', (ws, req) => {
        ws.on('message', (data, binary) => ws.send(data, { binary }))
        ws.on('close', (code, reason) => resolve(`${String(code)} ${String(reason)} ${String(req.headers.origin)}`))
      })
    })
    await using pair = await startPair({ version, target: server })
    const browser = await chromium.launch({ executablePath: executablePath ?? '', args: ['--no-sandbox'] })
    try {
      const page = await browser.newPage()
      const origin = `http://127.0.0.1:${String(pair.port)}`
      await page.goto(`${origin}/page`)
      expect(await page.title()).toBe('page')
      // A string, because it is the browser that runs it, with globals that are not Node's.
      const seen = await page.evaluate(`new Promise((resolve, reject) => {
        const ws = new WebSocket('ws://' + location.host + '/chat', ['one'])
        ws.binaryType = 'arraybuffer'
        const got = []
        ws.onerror = () => reject(new Error('the WebSocket failed'))
        ws.onopen = () => { ws.send('grüße'); ws.send(new Uint8Array(100000).fill(7)) }
        ws.onmessage = ({ data }) => {
          got.push(typeof data === 'string' ? data : data.byteLength)
          if (got.length === 2) ws.close(4000, 'done')
        }
        ws.onclose = ({ code, wasClean }) => resolve([...got, code, wasClean, ws.protocol, ws.extensions])
      })`)
      expect(seen).toEqual(['grüße', 100_000, 4000, true, 'one', 'permessage-deflate'])
      expect(await closed).toBe(`4000 done ${origin}`)
    } finally {
      await browser.close()
    }
  }, 60_000)

  it('speaks HTTP/2 for its page, what the page fetches, and its WebSocket', async () => {
    const server = createServer((req, res) => {
      if (req.method === 'POST') req.pipe(res)
      else res.setHeader('content-type', 'text/html').end('<title>page</title>')
    })
    const wss = new WebSocketServer({ server })
    wss.on('connection', (ws) => ws.on('message', (data, binary) => ws.send(data, { binary })))
    const seenBy: string[] = []
    await using pair = await startPair({
      version,
      target: server,
      router: {
        tls: certificate,
        registrationTls: false,
        accessLog: ({ httpVersion, target }) => seenBy.push(`${httpVersion} ${target}`),
      },
    })
    const browser = await chromium.launch({ executablePath: executablePath ?? '', args: ['--no-sandbox'] })
    try {
      const page = await browser.newPage({ ignoreHTTPSErrors: true })
      await page.goto(`https://127.0.0.1:${String(pair.port)}/page`)
      expect(await page.title()).toBe('page')
      const seen = await page.evaluate(`(async () => {
        const bodies = Array.from({ length: 40 }, (_, i) => String(i).repeat(5000))
        const answers = await Promise.all(bodies.map(async (body, i) =>
          (await (await fetch('/echo/' + i, { method: 'POST', body })).text()) === body))
        const ws = new WebSocket('wss://' + location.host + '/chat')
        const reply = await new Promise((resolve, reject) => {
          ws.onerror = () => reject(new Error('the WebSocket failed'))
          ws.onopen = () => ws.send('hello')
          ws.onmessage = ({ data }) => resolve(data)
        })
        await new Promise((resolve) => { ws.onclose = resolve; ws.close() })
        const spoken = performance.getEntriesByType('resource').map((entry) => entry.nextHopProtocol)
        return [answers.every(Boolean), reply, [...new Set(spoken)]]
      })()`)
      expect(seen).toEqual([true, 'hello', ['h2']])
      await expect.poll(() => seenBy).toContain('2.0 /chat')
    } finally {
      await browser.close()
    }
  }, 60_000)
})
