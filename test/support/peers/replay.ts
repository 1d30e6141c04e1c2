/** A request as scripted connectors read it from the tunnel, and its way to the service over `node:http`. */
import { request as httpRequest, type ClientRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http'
import { pipeline, type Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { WebSocket } from 'ws'

export interface TunnelledRequest {
  readonly method: string
  readonly target: string
  /** Name and value as they came; several of one name stay several. */
  readonly fields: readonly (readonly [name: string, value: string])[]
  readonly marker: string
}

/** A 1.0 request message, split at line feeds as all of them do. */
export function parseRequest(text: string): TunnelledRequest {
  const lines = text.split('\n')
  const [method = '', target = ''] = (lines[0] ?? '').split(' ')
  const fields = lines.slice(1, -1).flatMap((line): [string, string][] => {
    const colon = line.indexOf(':')
    return colon > 0 ? [[line.slice(0, colon), line.slice(colon + 1)]] : []
  })
  return { method, target, fields, marker: lines.at(-1) ?? '' }
}

/** Opens a request with fields exactly as given; `end` is the caller's. */
export function send(
  url: URL,
  path: string,
  method: string,
  fields: readonly (readonly [string, string])[],
): ClientRequest {
  return httpRequest({
    host: url.hostname,
    port: url.port,
    path,
    method,
    // A flat list is sent as it is, but is not in the types.
    headers: fields.flat() as unknown as OutgoingHttpHeaders,
    agent: false,
    maxHeaderSize: 65_536,
  })
}

/** The fields with chunked coding added where a body would go without a length. */
export function framed(
  fields: readonly (readonly [string, string])[],
  marker: string,
): readonly (readonly [string, string])[] {
  if (marker !== '_1' || fields.some(([name]) => name.toLowerCase() === 'content-length')) return fields
  return [...fields, ['Transfer-Encoding', 'chunked']]
}

/** Name and value of every response field, in order. */
export function fieldsOf(response: IncomingMessage): [string, string][] {
  const raw = response.rawHeaders
  return raw.flatMap((name, i): [string, string][] => (i % 2 === 0 ? [[name, raw[i + 1] ?? '']] : []))
}

/** Passes a message of the body on, and reads no other one before the service has taken it, pings neither. */
export function writeBody(request: ClientRequest, chunk: Buffer, ws: WebSocket): void {
  if (request.write(chunk)) return
  ws.pause()
  const resume = (): void => {
    request.off('drain', resume)
    request.off('finish', resume)
    ws.resume()
  }
  request.on('drain', resume)
  // What was parsed before the pause may have ended the request: no drain comes then.
  request.on('finish', resume)
}

/** Sends a body as binary messages of at most `most` bytes, reading no faster than the socket takes them. */
export function sendBody(
  body: Readable,
  ws: WebSocket,
  options: { readonly most: number; readonly gone?: () => void },
): void {
  body.on('data', (chunk: Buffer) => {
    if (ws.readyState !== WebSocket.OPEN) {
      options.gone?.()
      return
    }
    body.pause()
    for (let at = 0; at < chunk.length; at += options.most) {
      const last = at + options.most >= chunk.length
      ws.send(chunk.subarray(at, at + options.most), () => {
        if (last) body.resume()
      })
    }
  })
}

/**
 * As Go's net/http client sends it: Host and the length come from the request itself and not from its fields, and
 * gzip is asked for, and undone, when the fields ask for nothing.
 */
export function sendAsGo(
  url: URL,
  path: string,
  request: TunnelledRequest,
  keep: { readonly host: boolean; readonly length: boolean },
): GoRequest {
  const named = (name: string): boolean => request.fields.some(([field]) => field.toLowerCase() === name)
  const fields = request.fields.filter(([name]) => {
    const lower = name.toLowerCase()
    return (keep.host || lower !== 'host') && (keep.length || lower !== 'content-length')
  })
  if (!keep.host || !named('host')) fields.push(['Host', url.host])
  const gunzips = !named('accept-encoding') && request.method !== 'HEAD'
  if (gunzips) fields.push(['Accept-Encoding', 'gzip'])
  return { request: send(url, path, request.method, framed(fields, request.marker)), gunzips }
}

export interface GoRequest {
  readonly request: ClientRequest
  readonly gunzips: boolean
}

/** The response as Go's client hands it on: names in canonical case, hop-by-hop fields gone, gzip perhaps undone. */
export function responseAsGo(
  response: IncomingMessage,
  gunzips: boolean,
): { readonly fields: [string, string][]; readonly body: Readable } {
  const undo = gunzips && response.headers['content-encoding'] === 'gzip'
  const dropped = new Set(['transfer-encoding', 'connection', ...(undo ? ['content-encoding', 'content-length'] : [])])
  const fields = fieldsOf(response)
    .filter(([name]) => !dropped.has(name.toLowerCase()))
    .map(([name, value]): [string, string] => [canonical(name), value])
  if (!undo) return { fields, body: response }
  // The callback is where failures of either end up; whoever reads `body` sees them there.
  return { fields, body: pipeline(response, createGunzip(), () => undefined) }
}

/** `content-type` → `Content-Type`. */
export function canonical(name: string): string {
  return name
    .toLowerCase()
    .replace(/(^|-)([a-z])/g, (_all, before: string, first: string) => before + first.toUpperCase())
}
