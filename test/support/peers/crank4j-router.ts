/**
 * crank4j's router (Java, the original). Echoes no subprotocol, reads at most 64 KiB per message, takes requests for
 * unknown routes to the catch-all and lets them wait. Deregistrations without an id are answered and do nothing.
 */
import { endToEnd, scriptedRouter } from './tunnel-server.js'

const NOT_SENT_BACK = new Set(['server', 'transfer-encoding', 'connection'])

export const crank4jRouter = scriptedRouter({
  name: 'C4J',
  title: 'crank4j router (Java), scripted',
  maxMessage: 65_536,
  bodyChunk: 2_048,
  ping: '*ping*_%',
  noSocket: 'No crankers available',
  requestHead(req) {
    const lines = endToEnd(req).map(([name, value]) => `${name}:${value}\n`)
    const host = req.headers.host ?? ''
    const client = req.socket.remoteAddress ?? ''
    lines.push(`Forwarded:for=${client};proto=http;host=${host};by=127.0.0.1\n`)
    return {
      text: `${req.method ?? 'GET'} ${req.url ?? '/'} HTTP/1.1\n${lines.join('')}`,
      hasBody: 'content-length' in req.headers || 'transfer-encoding' in req.headers,
    }
  },
  responseHead(text) {
    const [statusLine = '', ...lines] = text.split('\n')
    const fields = lines.flatMap((line): [string, string][] => {
      const colon = line.indexOf(':')
      if (colon <= 0) return []
      const name = line.slice(0, colon)
      return NOT_SENT_BACK.has(name.toLowerCase()) ? [] : [[name, line.slice(colon + 1)]]
    })
    return { status: Number(statusLine.split(' ')[1]), fields: [...fields, ['Via', '1.1 crnk']] }
  },
  closed(code, res) {
    if (res.writableEnded || res.destroyed) return
    if (code === 1000 || code === 1005) {
      res.end()
    } else if (res.headersSent) {
      res.destroy()
    } else {
      res.writeHead(code === 1008 ? 400 : 502).end()
    }
  },
  clientLeft: (ws) => ws.close(1001, 'Going away'),
  deregister(attempt, idle) {
    const id = attempt.query.get('connectorInstanceID')
    for (const socket of idle.filter((one) => one.connectorInstanceId === id)) {
      idle.splice(idle.indexOf(socket), 1)
      socket.ws.close(1001, 'Going away')
    }
    attempt.accept({ headers: ['CrankerProtocol: 1.0'] }).close(1000, 'Deregister complete')
  },
})
