import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { versions } from '../../support/pair.js'
import type { RouterPeer } from '../peer.js'
import { run } from './command.js'
import { Installation } from './installation.js'
import { startRouterProgram } from './running.js'

const BINARY = 'interop-router'
/** What the crate needs. */
const LEAST_RUST = [1, 85] as const

const rust = new Installation({
  name: 'rust',
  programs: 'rust',
  inputs: ['Cargo.toml', 'Cargo.lock', 'src/main.rs'],

  async toolchain() {
    const { ok, output } = await run('cargo', ['--version'])
    const [, major, minor] = /cargo (\d+)\.(\d+)/.exec(output) ?? []
    const [least, leastMinor] = LEAST_RUST
    if (!ok || Number(major) !== least || Number(minor) < leastMinor) {
      return { missing: `no Rust ${LEAST_RUST.join('.')} or later found (cargo)` }
    }
    return { found: output.trim() }
  },

  async *install(folder, programs) {
    const build = join(folder, 'build')
    const manifest = join(programs, 'Cargo.toml')
    yield await run('cargo', ['build', '--locked', '--quiet', '--manifest-path', manifest], {
      env: { CARGO_TARGET_DIR: build },
    })
    // The rest is 200 MB that nobody needs again.
    await cp(join(build, 'debug', BINARY), join(folder, BINARY))
    await rm(build, { recursive: true })
  },
})

/** The Rust router. It leaves Nagle's algorithm on; the program around it turns it off. */
export const rs: RouterPeer = {
  name: 'RS',
  title: 'scr-axum-cranker-router 0.0.14 (Rust)',
  versions,
  prepare: () => rust.prepare(),
  start: (options) => startRouterProgram('RS', [join(rust.folder, BINARY)], options),
}
