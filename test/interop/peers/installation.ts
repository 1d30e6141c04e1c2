import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { CommandResult } from './command.js'
import { withLock } from './lock.js'

/** Where foreign peers are kept between runs. */
const CACHE = fileURLToPath(new URL('../../../.interop/', import.meta.url))
const PROGRAMS = fileURLToPath(new URL('../programs/', import.meta.url))

/** The tools that an installation needs: which ones were found, or what is missing. */
export type Toolchain = { readonly found: string } | { readonly missing: string }

export interface Recipe {
  /** Names the folder in the cache. */
  readonly name: string
  /** The folder in `programs/`. */
  readonly programs: string
  /** The files there that decide what is installed: versions and sources. */
  readonly inputs: readonly string[]
  toolchain(): Promise<Toolchain>
  /** Puts everything into `folder`, which is renamed when it is complete. Stops at the first result that is not ok. */
  install(folder: string, programs: string): AsyncIterable<CommandResult>
}

/** Something that is installed or built once per machine and used by one or more peers. */
export class Installation {
  readonly #recipe: Recipe
  readonly #cache: string
  #prepared: Promise<string | undefined> | undefined
  #folder: string | undefined

  constructor(recipe: Recipe, cache = CACHE) {
    this.#recipe = recipe
    this.#cache = cache
  }

  /** Where it is, after {@link prepare}. */
  get folder(): string {
    if (this.#folder === undefined) throw new Error(`${this.#recipe.name}: prepare() comes first`)
    return this.#folder
  }

  /**
   * Installs it unless that is done. Returns why it cannot be had here (a tool is missing, the network is), and throws
   * when the installation itself fails, or when `CRANKER_INTEROP_REQUIRE=1` allows no excuse.
   */
  prepare(): Promise<string | undefined> {
    this.#prepared ??= this.#prepare().then((reason) => {
      if (reason !== undefined && process.env['CRANKER_INTEROP_REQUIRE'] === '1') {
        throw new Error(`${reason} (and CRANKER_INTEROP_REQUIRE is set)`)
      }
      return reason
    })
    return this.#prepared
  }

  async #prepare(): Promise<string | undefined> {
    const { name } = this.#recipe
    const tools = await this.#recipe.toolchain()
    if ('missing' in tools) return tools.missing
    const folder = join(this.#cache, `${name}-${await this.#key(tools.found)}`)
    if (!existsSync(folder)) {
      await mkdir(this.#cache, { recursive: true })
      const failed = await withLock(join(this.#cache, `${name}.lock`), () => this.#install(folder))
      if (failed !== undefined) {
        const unreachable = networkFailure(failed)
        if (unreachable === undefined) throw new Error(`${name} could not be installed:\n${failed}`)
        return `${name} could not be downloaded: ${unreachable}`
      }
    }
    this.#folder = folder
    return undefined
  }

  /** What went wrong, or undefined. */
  async #install(folder: string): Promise<string | undefined> {
    // While this one waited for the lock.
    if (existsSync(folder)) return undefined
    // Under the lock nobody else uses this name: what lies there is half of an installation that was killed.
    const fresh = join(this.#cache, `${this.#recipe.name}.new`)
    await rm(fresh, { recursive: true, force: true })
    await mkdir(fresh)
    for await (const { ok, output } of this.#recipe.install(fresh, join(PROGRAMS, this.#recipe.programs))) {
      if (ok) continue
      await rm(fresh, { recursive: true, force: true })
      return output
    }
    await rename(fresh, folder)
    return undefined
  }

  async #key(tools: string): Promise<string> {
    const hash = createHash('sha256').update(tools)
    for (const input of this.#recipe.inputs) {
      hash.update(`\0${input}\0`).update(await readFile(join(PROGRAMS, this.#recipe.programs, input)))
    }
    return hash.digest('hex').slice(0, 16)
  }
}

/** How Maven, cargo and pip say that a registry could not be reached, as opposed to: that it has no such thing. */
const UNREACHABLE =
  /temporary failure in name resolution|could(?: not|n't) resolve host|unknown host|network is unreachable|connection (?:timed out|refused|reset)|connect(?:ion)? timeout|read timed out|failed to establish a new connection|spurious network error/i

/** The line that says so, if there is one. */
function networkFailure(output: string): string | undefined {
  return output
    .split('\n')
    .find((line) => UNREACHABLE.test(line))
    ?.trim()
}
