/**
 * What the interop suite needs of a router or a connector, whoever wrote it: a foreign program started as a process
 * (`peers/`), a scripted stand-in (`test/support/peers/`), or our own.
 */
import type { Version } from '../support/pair.js'

/** A router or connector that the suite can be run with. */
interface Peer {
  /** The short name in docs/interop.md: `MU`, `JC`, `C4P`. */
  readonly name: string
  /** What it is, with its version: `mu-cranker-router 2.0.4 (Java)`. */
  readonly title: string
  /** The protocol versions it can speak, the ones that the suite is run over. */
  readonly versions: readonly Version[]
  /**
   * Installs or builds what is needed, once; later calls, also of other processes, find it done. Returns undefined when
   * the peer can be started, else why not, for the "skipped" message (`no Java 11 or later found`).
   */
  prepare(): Promise<string | undefined>
}

export interface RouterStart {
  /** Default: any free ports. Given again after a restart. */
  readonly publicPort?: number
  readonly registrationPort?: number
  /** How long a request waits for a socket, in ms, where the peer lets that be set. */
  readonly connectorWait?: number
  /** In ms, where the peer lets it be set. */
  readonly idleTimeout?: number
  readonly pingInterval?: number
}

export interface RunningRouter {
  readonly publicPort: number
  readonly registrationPort: number
  /** Ends the router as its operator would; resolves when both ports are free. */
  stop(): Promise<void>
  /** What it has printed so far, for the message of a failed test. */
  output(): string
}

export interface RouterPeer extends Peer {
  start(options: RouterStart): Promise<RunningRouter>
}

export interface ConnectorStart {
  /** `ws://127.0.0.1:PORT` of the routers. */
  readonly routers: readonly string[]
  readonly route: string
  /** `http://127.0.0.1:PORT` of the service. */
  readonly target: string
  /** What to offer, in this order; a subset of `versions`. */
  readonly protocols: readonly Version[]
  /** Sockets per router where the peer lets it be set. Default 2. */
  readonly window?: number
  readonly pingInterval?: number
}

export interface RunningConnector {
  /**
   * Stops as its operator would (deregisters, finishes what runs, where the peer can do that); resolves when it has
   * ended.
   */
  stop(): Promise<void>
  output(): string
}

export interface ConnectorPeer extends Peer {
  /** Resolves when it has started; the suite itself waits until it is registered. */
  start(options: ConnectorStart): Promise<RunningConnector>
}
