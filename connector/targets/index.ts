import { createServer, Server, type RequestListener } from 'node:http'
import type { Clock } from '../../protocol/clock.js'
import { CrankerError } from '../../protocol/errors.js'
import type { Logger } from '../../protocol/logger.js'
import type { TargetOption, TargetProtocol } from '../options.js'
import { AutoTarget } from './auto-target.js'
import { HttpTarget, type TargetLimits } from './http-target.js'
import { Http2Target } from './http2-target.js'
import { inProcessDial } from './in-process-wire.js'
import type { TcpAddress } from './open-socket.js'
import type { Target } from './target.js'
import { tcpDial } from './tcp-wire.js'
import type { Dial } from './wire.js'

export type { Target } from './target.js'

export interface TargetOptions extends TargetLimits {
  readonly targetConnectTimeout: number
  readonly targetProtocol: TargetProtocol
}

export interface TargetDeps {
  readonly clock: Clock
  readonly log: Logger
}

/**
 * Makes a target of what the embedder gave.
 * @throws CrankerError CRANKER_ERR_OPTION if it is no `http:` or `https:` URL and nothing that answers requests.
 */
export function createTarget(target: TargetOption, options: TargetOptions, deps: TargetDeps): Target {
  if (typeof target === 'string' || target instanceof URL) return urlTarget(target, options, deps)
  if (options.targetProtocol === 'http2') {
    throw new CrankerError('CRANKER_ERR_OPTION', 'targetProtocol: an in-process target speaks HTTP/1.1; leave it out', {
      initiator: 'caller',
      delivered: 'no',
    })
  }
  if (typeof target === 'function') return inProcessTarget(serverOf(target, options), options, deps)
  if (target instanceof Server) return inProcessTarget(target, options, deps)
  throw new CrankerError(
    'CRANKER_ERR_OPTION',
    'target: give a URL (http://localhost:3000), an http.Server or a request listener (req, res) => void',
    { initiator: 'caller', delivered: 'no' },
  )
}

function urlTarget(target: string | URL, options: TargetOptions, deps: TargetDeps): Target {
  const url = parseUrl(target)
  const tls = url.protocol === 'https:'
  const address: TcpAddress = {
    // An IPv6 address stands in brackets in a URL only.
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: url.port === '' ? (tls ? 443 : 80) : Number(url.port),
    tls,
    connectTimeout: options.targetConnectTimeout,
  }
  const pathPrefix = url.pathname.replace(/\/+$/, '')
  const http1 = httpTarget(tcpDial(address, deps.clock), pathPrefix, url.host, options, deps)
  const { targetProtocol } = options
  // Without TLS nobody says what is spoken: then it is what everybody understands.
  if (targetProtocol === 'http1' || (targetProtocol === 'auto' && !tls)) return http1
  const http2 = new Http2Target({
    address,
    origin: { scheme: tls ? 'https' : 'http', host: url.host, pathPrefix },
    limits: options,
    clock: deps.clock,
    log: deps.log,
    upgrades: http1,
    onNotReady: () => auto?.forget(),
  })
  const auto = targetProtocol === 'auto' ? new AutoTarget({ ...deps, address, http1, http2 }) : undefined
  return auto ?? http2
}

function inProcessTarget(server: Server, options: TargetOptions, deps: TargetDeps): Target {
  return httpTarget(inProcessDial(server), '', 'localhost', options, deps)
}

function httpTarget(dial: Dial, pathPrefix: string, host: string, limits: TargetLimits, deps: TargetDeps): Target {
  return new HttpTarget({ dial, pathPrefix, host, limits, clock: deps.clock, log: deps.log })
}

/**
 * A server that never listens, around a listener. It has no timeouts of its own: the head arrives whole, and the idle
 * timer of the exchange rules the rest.
 */
function serverOf(listener: RequestListener, options: TargetOptions): Server {
  const server = createServer(
    { requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 0, maxHeaderSize: 2 * options.maxHeadSize },
    listener,
  )
  // 0: node drops what is beyond its limit without a word.
  server.maxHeadersCount = 0
  return server
}

function parseUrl(target: string | URL): URL {
  let url: URL
  try {
    url = new URL(target)
  } catch (cause) {
    throw badUrl('is no URL', cause)
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw badUrl('is no http: or https: URL')
  if (url.username !== '' || url.password !== '') throw badUrl('must not contain a user name or password')
  if (url.search !== '' || url.hash !== '') throw badUrl('must not have a query or fragment')
  return url
}

function badUrl(problem: string, cause?: unknown): CrankerError {
  return new CrankerError('CRANKER_ERR_OPTION', `target: ${problem}; give a URL like http://localhost:3000`, {
    initiator: 'caller',
    delivered: 'no',
    cause,
  })
}
