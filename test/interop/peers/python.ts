import { join } from 'node:path'
import { run } from './command.js'
import { Installation } from './installation.js'

/** What asgi-cc needs. */
const LEAST_PYTHON = '3.11'
/** A distribution's default may be older than the newest that it has. */
const CANDIDATES = ['python3', 'python', 'python3.14', 'python3.13', 'python3.12', 'python3.11']
/** Fails where Debian has taken venv out. */
const ASK = 'import sys, venv, ensurepip; print("%d.%d" % sys.version_info[:2])'

interface Python {
  readonly command: string
  readonly version: string
}

async function find(): Promise<Python | undefined> {
  for (const command of CANDIDATES) {
    const { ok, output } = await run(command, ['-c', ASK])
    const [, version, minor] = /^(3\.(\d+))$/m.exec(output) ?? []
    if (ok && version !== undefined && Number(minor) >= Number(LEAST_PYTHON.split('.')[1])) return { command, version }
  }
  return undefined
}

/** A virtual environment with what `requirements.txt` names, by default the one in `programs/python/NAME`. */
export function pythonEnvironment(name: string, programs = join('python', name)): Installation {
  let python: Python | undefined
  return new Installation({
    name: `python-${name}`,
    programs,
    inputs: ['requirements.txt'],

    async toolchain() {
      python = await find()
      if (python === undefined) return { missing: `no Python ${LEAST_PYTHON} or later with venv found` }
      return { found: `python ${python.version}` }
    },

    async *install(folder, sources) {
      yield await run(python?.command ?? 'python3', ['-m', 'venv', join(folder, 'venv')])
      const requirements = join(sources, 'requirements.txt')
      yield await run(pythonOf(folder), ['-m', 'pip', 'install', '--no-input', '-r', requirements])
    },
  })
}

/** The interpreter of an environment. */
export function pythonOf(folder: string): string {
  return join(folder, 'venv', 'bin', 'python')
}
