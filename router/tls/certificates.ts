/** The certificates of a TLS port: chosen by the name that a client asks for, and replaced while the port is open. */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext, type SecureContext, type SecureContextOptions, type Server } from 'node:tls'
import { CrankerError } from '../../protocol/errors.js'
import type { TlsSource } from '../options.js'

/** RFC 8996: anything below is broken. */
const MIN_TLS_VERSION = 'TLSv1.2'
/** What a server name can look like (RFC 6066 §3): no address, nothing that a certificate could not name. */
const SERVER_NAME = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*$/

interface Loaded {
  readonly settings: SecureContextOptions
  readonly context: SecureContext
  readonly certificate: X509Certificate
}

export type ServerName = (name: string, done: (error: Error | null, context?: SecureContext) => void) => void

export class Certificates {
  readonly #sources: readonly TlsSource[]
  readonly #servers = new Set<Server>()
  #loaded: readonly Loaded[]

  /** @throws {CrankerError} CRANKER_ERR_OPTION: a certificate and key that cannot be used. */
  constructor(sources: readonly TlsSource[]) {
    this.#sources = sources
    this.#loaded = sources.map(load)
  }

  /** Files that the certificates come from; none when they were given as text. */
  get files(): readonly string[] {
    return this.#sources.flatMap((source) => ('certFile' in source ? [source.certFile, source.keyFile] : []))
  }

  /** For `tls.createServer`. Clients that ask for no name, or for one that is in no certificate, get the first one. */
  get serverOptions(): SecureContextOptions & { readonly SNICallback: ServerName } {
    const choose: ServerName = (name, done) => done(null, this.#choose(name))
    return { ...(this.#loaded[0] as Loaded).settings, SNICallback: choose }
  }

  /** The server keeps up with {@link reload}. */
  serve(server: Server): void {
    this.#servers.add(server)
    server.once('close', () => this.#servers.delete(server))
  }

  /**
   * Reads the files again; connections that are open keep what they have.
   * @throws {CrankerError} CRANKER_ERR_OPTION: one of them cannot be used. All stay as they were.
   */
  reload(): void {
    this.#loaded = this.#sources.map(load)
    for (const server of this.#servers) server.setSecureContext((this.#loaded[0] as Loaded).settings)
  }

  #choose(name: string): SecureContext | undefined {
    if (!SERVER_NAME.test(name)) return undefined
    return this.#loaded.find(({ certificate }) => certificate.checkHost(name) !== undefined)?.context
  }
}

function load(source: TlsSource): Loaded {
  const { cert, key } = 'certFile' in source ? readFiles(source.certFile, source.keyFile) : source
  const settings: SecureContextOptions = { cert, key, minVersion: MIN_TLS_VERSION }
  try {
    return { settings, context: createSecureContext(settings), certificate: new X509Certificate(cert) }
  } catch (cause) {
    const where = 'certFile' in source ? `${source.certFile} with ${source.keyFile}` : 'the certificate and key'
    throw unusable(`${where} cannot be used (${why(cause)}). Give a PEM certificate chain and its private key`, cause)
  }
}

function readFiles(certFile: string, keyFile: string): { readonly cert: Buffer; readonly key: Buffer } {
  try {
    return { cert: readFileSync(certFile), key: readFileSync(keyFile) }
  } catch (cause) {
    throw unusable(`the certificate or its key cannot be read (${why(cause)})`, cause)
  }
}

function unusable(message: string, cause: unknown): CrankerError {
  return new CrankerError('CRANKER_ERR_OPTION', `${message}.`, { initiator: 'caller', delivered: 'no', cause })
}

function why(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}
