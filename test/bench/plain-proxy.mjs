/** `node plain-proxy.mjs PORT TARGET_PORT`: what plain Node does in one hop, node:http in front and undici behind. */
import { createServer } from 'node:http'
import { Pool } from 'undici'

const [port, target] = process.argv.slice(2)
const pool = new Pool(`http://127.0.0.1:${target}`, { connections: 4096, bodyTimeout: 0, headersTimeout: 0 })
const DROPPED = new Set(['connection', 'keep-alive', 'transfer-encoding', 'expect'])

/** @param {readonly string[]} raw */
function forwarded(raw) {
  const kept = []
  for (let i = 0; i < raw.length; i += 2) if (!DROPPED.has(raw[i].toLowerCase())) kept.push(raw[i], raw[i + 1])
  return kept
}

createServer({ keepAliveTimeout: 600_000 }, (req, res) => {
  const body = req.method === 'GET' || req.method === 'HEAD' ? null : req
  res.on('error', () => undefined)
  pool.dispatch(
    { method: req.method, path: req.url, headers: forwarded(req.rawHeaders), body },
    {
      onRequestStart(controller) {
        res.on('close', () => {
          if (!res.writableFinished) controller.abort(new Error('client gone'))
        })
        res.on('drain', () => controller.resume())
      },
      onResponseStart(controller, status) {
        const raw = controller.rawHeaders.map((part) => (typeof part === 'string' ? part : part.latin1Slice()))
        res.writeHead(status, forwarded(raw))
      },
      onResponseData(controller, chunk) {
        if (!res.write(chunk)) controller.pause()
      },
      onResponseEnd() {
        res.end()
      },
      onResponseError() {
        res.destroy()
      },
    },
  )
}).listen(Number(port), '127.0.0.1', 4096)
