/** The service behind every contestant: a small answer, a large one, a sink, events that stay open. */
import { performance } from 'node:perf_hooks'

export const SMALL = Buffer.from('hello from the origin :-)')
const BLOCK = Buffer.alloc(64 * 1024)
/** Responses that stay open. @type {Set<import('node:http').ServerResponse>} */
const held = new Set()

/**
 * @param {import('node:http').IncomingMessage} req
 * @param {import('node:http').ServerResponse} res
 */
export function app(req, res) {
  const [path, query] = (req.url ?? '/').split('?')
  if (path === '/big') big(res, Number(query))
  else if (path === '/sink') sink(req, res)
  else if (path === '/events') events(res)
  else if (path === '/tick') tick(res)
  else {
    res.writeHead(200, ['Content-Type', 'text/plain', 'Content-Length', String(SMALL.length)])
    res.end(SMALL)
  }
}

/** @param {import('node:http').ServerResponse} res */
function big(res, length = 0) {
  res.writeHead(200, ['Content-Type', 'application/octet-stream', 'Content-Length', String(length)])
  let left = length
  const more = () => {
    while (left > 0) {
      const block = left < BLOCK.length ? BLOCK.subarray(0, left) : BLOCK
      left -= block.length
      if (!res.write(block) && left > 0) return
    }
    res.off('drain', more)
    res.end()
  }
  res.on('drain', more)
  more()
}

/**
 * @param {import('node:http').IncomingMessage} req
 * @param {import('node:http').ServerResponse} res
 */
function sink(req, res) {
  let bytes = 0
  req.on('data', (chunk) => (bytes += chunk.length))
  req.on('end', () => {
    const text = String(bytes)
    res.writeHead(200, ['Content-Type', 'text/plain', 'Content-Length', String(text.length)])
    res.end(text)
  })
}

/** @param {import('node:http').ServerResponse} res */
function events(res) {
  res.writeHead(200, ['Content-Type', 'text/event-stream', 'Cache-Control', 'no-store', 'X-Accel-Buffering', 'no'])
  res.write('data: opened\n\n')
  held.add(res)
  res.on('close', () => held.delete(res))
}

/** One more event for everybody. @param {import('node:http').ServerResponse} res */
function tick(res) {
  for (const one of held) one.write(`data: ${performance.now()}\n\n`)
  res.writeHead(200, ['Content-Length', '0'])
  res.end()
}
