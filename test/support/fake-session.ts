import type { Capabilities, RouterSession } from '../../protocol/session.js'
import type { RegisteredSession, SessionSource } from '../../router/routing/source.js'
import type { CrankerError } from '../../protocol/errors.js'

/** A router session that only has a load. */
export class FakeSession implements RouterSession {
  version: '1.0' | '3.0' = '3.0'
  capabilities = {} as Capabilities
  load = 0
  capacity = 256
  accepting = true
  roundTrip = undefined
  bytesIn = 0
  bytesOut = 0
  readonly calls: string[] = []

  constructor(values: Partial<Pick<FakeSession, 'version' | 'load' | 'capacity' | 'accepting'>> = {}) {
    Object.assign(this, values)
  }

  open(): never {
    throw new Error('a fake session opens nothing')
  }

  drain(reason: string): void {
    this.calls.push(`drain ${reason}`)
  }

  close(code: number): void {
    this.calls.push(`close ${code}`)
  }

  terminate(): void {
    this.calls.push('terminate')
  }
}

let sockets = 0

/** A registration of a {@link FakeSession}. */
export function fakeRegistered(
  route: string,
  values: { domain?: string; instance?: string; component?: string; session?: FakeSession } = {},
): RegisteredSession & { readonly session: FakeSession } {
  return {
    session: values.session ?? new FakeSession(),
    route,
    domain: values.domain ?? '*',
    connectorInstanceID: values.instance ?? 'instance-1',
    componentName: values.component ?? 'component',
    remoteAddress: '10.0.0.1',
    remotePort: 5_000 + ++sockets,
    socketID: `socket-${sockets}`,
  }
}

/** A waiter that writes down what it was told. */
export class FakeWaiter {
  session: RegisteredSession | undefined
  error: CrankerError | undefined
  readonly cancel: () => void
  readonly #onSession: (registered: RegisteredSession) => void

  /** `onSession`: what the request does with its socket. */
  constructor(
    source: SessionSource,
    host: string,
    path: string,
    onSession: (registered: RegisteredSession) => void = () => {},
  ) {
    this.#onSession = onSession
    this.cancel = source.wait(host, path, this)
  }

  onSession(registered: RegisteredSession): void {
    this.session = registered
    this.#onSession(registered)
  }

  onFailed(error: CrankerError): void {
    this.error = error
  }

  get settled(): boolean {
    return this.session !== undefined || this.error !== undefined
  }
}
