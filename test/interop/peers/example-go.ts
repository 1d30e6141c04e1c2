import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { versions } from '../../support/pair.js'
import type { ConnectorPeer } from '../peer.js'
import { run } from './command.js'
import { startExample } from './example.js'
import { Installation } from './installation.js'
import type { CommandLine } from './program.js'

/** What the example's go.mod names. */
const LEAST_GO = 25
const FOLDER = fileURLToPath(new URL('../../../examples/connector-go', import.meta.url))

const go = new Installation({
  name: 'go-example',
  programs: join('..', '..', '..', 'examples', 'connector-go'),
  inputs: ['go.mod', 'go.sum', 'main.go'],

  async toolchain() {
    const { ok, output } = await run('go', ['env', 'GOVERSION'], { cwd: FOLDER })
    const minor = /^go1\.(\d+)/.exec(output)?.[1]
    if (!ok || minor === undefined || Number(minor) < LEAST_GO) return { missing: `no Go 1.${LEAST_GO} or later found` }
    return { found: output.trim() }
  },

  async *install(folder) {
    yield await run('go', ['build', '-o', join(folder, 'connector'), '.'], { cwd: FOLDER })
  },
})

/** The command of `examples/connector-go`, after `prepare`. */
export const exampleGoCommand = (): CommandLine => [join(go.folder, 'connector')]

/** `examples/connector-go`: written from docs/protocol.md alone. */
export const exampleGo: ConnectorPeer = {
  name: 'XG',
  title: 'examples/connector-go (Go)',
  versions,
  prepare: () => go.prepare(),
  start: (options) => startExample('XG', exampleGoCommand(), options),
}
