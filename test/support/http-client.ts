/** A client that shows a response as it is: raw fields, raw body, trailers, and whether it ended properly. */
import http from 'node:http'
import type { Readable } from 'node:stream'

export interface RequestOptions {
  readonly port: number
  readonly path?: string
  readonly method?: string
  /** Flat list of names and values, sent as they are. `host` is added when missing. */
  readonly headers?: readonly string[]
  readonly body?: string | Buffer | Readable
  readonly agent?: http.Agent
  readonly signal?: AbortSignal
}

export interface Response {
  readonly status: number
  readonly reason: string
  readonly rawHeaders: readonly string[]
  /** Values of one field, in order. */
  field(name: string): string[]
  readonly body: Buffer
  readonly text: string
  readonly trailers: Readonly<Record<string, string | undefined>>
  readonly infos: readonly http.InformationEvent[]
}

/** Sends a request and hands over the response as soon as its head is there. */
export function open(options: RequestOptions): Promise<{
  readonly request: http.ClientRequest
  readonly response: http.IncomingMessage
  readonly infos: http.InformationEvent[]
}> {
  return new Promise((resolve, reject) => {
    const headers = [...(options.headers ?? [])]
    if (!headers.some((h, i) => i % 2 === 0 && h.toLowerCase() === 'host')) {
      headers.unshift('Host', `127.0.0.1:${String(options.port)}`)
    }
    const { body } = options
    if (body !== undefined && !headers.some((h, i) => i % 2 === 0 && /^(content-length|transfer-encoding)$/i.test(h))) {
      if (typeof body === 'string' || Buffer.isBuffer(body))
        headers.push('Content-Length', String(Buffer.byteLength(body)))
      else headers.push('Transfer-Encoding', 'chunked')
    }
    const infos: http.InformationEvent[] = []
    const request = http.request({
      host: '127.0.0.1',
      port: options.port,
      path: options.path ?? '/',
      method: options.method ?? 'GET',
      headers: headers as unknown as http.OutgoingHttpHeaders,
      agent: options.agent ?? false,
      maxHeaderSize: 65_536,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    })
    request.on('information', (info) => infos.push(info))
    request.on('response', (response) => {
      resolve({ request, response, infos })
    })
    request.on('error', reject)
    if (body === undefined || typeof body === 'string' || Buffer.isBuffer(body)) request.end(body)
    else body.pipe(request)
  })
}

/** The rest of a response; rejects when it is cut. */
export function readAll(stream: Readable): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('end', () => {
      resolve(Buffer.concat(chunks))
    })
    stream.on('error', reject)
    stream.on('close', () => {
      reject(new Error('closed before its end'))
    })
  })
}

export async function fetchRaw(options: RequestOptions): Promise<Response> {
  const { response, infos } = await open(options)
  const body = await readAll(response)
  return {
    status: response.statusCode ?? 0,
    reason: response.statusMessage ?? '',
    rawHeaders: response.rawHeaders,
    field: (name) =>
      response.rawHeaders.filter((_, i) => i % 2 === 1 && response.rawHeaders[i - 1]?.toLowerCase() === name),
    body,
    text: body.toString(),
    trailers: response.trailers,
    infos,
  }
}
