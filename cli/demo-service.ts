/** The demo's service: an ordinary request listener. It has no port of its own; the connector hands it the requests. */

import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { demoPage } from './demo-page.js'

const CLOCK_INTERVAL_MS = 1_000

/** @param base where the service is mounted, for instance `/` or `/my-service/`: paths arrive whole */
export function demoService(base: string): RequestListener {
  return (req, res) => {
    switch ((req.url ?? '').replace(/\?.*$/s, '').slice(base.length)) {
      case 'clock':
        clock(res)
        return
      case 'echo':
        echo(req, res)
        return
      case 'hello':
        res.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' })
        res.end('Hello from inside the firewall.\n')
        return
      default:
        res.writeHead(200, { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' })
        res.end(demoPage(base, requestText(req)))
    }
  }
}

/** The request as the service sees it: whole path, the router's Via and Forwarded among the headers. */
function requestText(req: IncomingMessage): string {
  const lines = [`${req.method ?? ''} ${req.url ?? ''} HTTP/${req.httpVersion}`]
  for (let index = 0; index < req.rawHeaders.length; index += 2) {
    lines.push(`${String(req.rawHeaders[index])}: ${String(req.rawHeaders[index + 1])}`)
  }
  return lines.join('\n')
}

/** Server-sent events, one a second, until the client has left. */
function clock(res: ServerResponse): void {
  res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
  const tick = (): void => {
    res.write(`data: ${new Date().toISOString()}\n\n`)
  }
  tick()
  const timer = setInterval(tick, CLOCK_INTERVAL_MS)
  res.once('close', () => {
    clearInterval(timer)
  })
}

/** Sends the body back as it comes. */
function echo(req: IncomingMessage, res: ServerResponse): void {
  res.writeHead(200, { 'content-type': req.headers['content-type'] ?? 'application/octet-stream' })
  req.pipe(res)
}
