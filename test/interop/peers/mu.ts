import { versions } from '../../support/pair.js'
import type { RouterPeer } from '../peer.js'
import { java, javaCommand } from './java.js'
import { startRouterProgram } from './running.js'

/** The Java router. */
export const mu: RouterPeer = {
  name: 'MU',
  title: 'mu-cranker-router 2.0.4 (Java)',
  versions,
  prepare: () => java.prepare(),
  start: (options) => startRouterProgram('MU', javaCommand('InteropRouter'), options),
}
