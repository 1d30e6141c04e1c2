/**
 * crank4go's router (Go, gorilla/websocket). Echoes no subprotocol, decodes the path, forwards neither Host nor the
 * body of a chunked request, loses every field of the response, ends a response that broke off as if it were complete,
 * never tells a connector that the client left, and fails at deregistrations: it cuts the connection and forgets one
 * socket each time.
 */
import { canonical } from './replay.js'
import { endToEnd, scriptedRouter } from './tunnel-server.js'

export const crank4goRouter = scriptedRouter({
  name: 'C4G',
  title: 'crank4go router (Go), scripted',
  maxMessage: 16_384,
  bodyChunk: 4_096,
  ping: '*ping*_%',
  noSocket: 'No crankers Available',
  requestHead(req) {
    const [path, query] = split(req.url ?? '/')
    const names = Object.keys(req.headers)
    const fields = endToEnd(req)
      .filter(([name]) => name.toLowerCase() !== 'host')
      .map(([name, value]) => `${canonical(name)}:${value}\n`)
    const client = `${req.socket.remoteAddress ?? ''}:${String(req.socket.remotePort)}`
    const host = req.headers.host ?? ''
    const forwarded = [
      `Forwarded:for=${client};proto=;host=${host};by=127.0.0.1\n`,
      `X-Forwarded-For:${client}\n`,
      'X-Forwarded-Proto:\n',
      `X-Forwarded-Host:${host}\n`,
      'X-Forwarded-Server:127.0.0.1\n',
    ]
    return {
      text: `${req.method ?? 'GET'} ${decode(path)}${query} HTTP/1.1\n${[...fields, ...forwarded].join('')}`,
      // It asks for Transfer-Encoding too, but Go has taken that field out before.
      hasBody: names.includes('content-length'),
    }
  },
  responseHead(text) {
    const status = Number(text.split('\n')[0]?.split(' ')[1])
    return { status: status >= 100 && status <= 999 ? status : 500, fields: [['Via', '1.1 crnk']] }
  },
  closed(code, res) {
    if (res.writableEnded || res.destroyed) return
    if (code === 1006) {
      if (!res.headersSent) res.writeHead(502)
      res.end('502 Bad Gateway, err: EOF')
      return
    }
    if (!res.headersSent) res.writeHead(code === 1011 ? 502 : code === 1008 ? 400 : 200)
    res.end()
  },
  // It means to send a Close frame, but gives its code where the type of the message belongs.
  clientLeft: () => undefined,
  deregister(attempt, idle) {
    // An index out of range: net/http catches the panic and drops the connection.
    if (attempt.query.has('connectorInstanceID')) idle.shift()
    attempt.destroy()
  },
})

function split(target: string): [path: string, query: string] {
  const at = target.indexOf('?')
  return at === -1 ? [target, ''] : [target.slice(0, at), target.slice(at)]
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}
