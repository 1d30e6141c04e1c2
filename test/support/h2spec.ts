/** The conformance test of HTTP/2 servers, https://github.com/summerwind/h2spec, built once into `.interop`. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from './built.js'

const MODULE = 'github.com/summerwind/h2spec/cmd/h2spec@v2.2.1+incompatible'

/** Its path; undefined where it cannot be had. */
export async function h2spec(): Promise<string | undefined> {
  const folder = join(root, '.interop', 'h2spec')
  const command = join(folder, 'bin', 'h2spec')
  if (existsSync(command)) return command
  const env = { ...process.env, GOPATH: folder, GOBIN: join(folder, 'bin'), GOFLAGS: '-mod=mod -modcacherw' }
  try {
    await promisify(execFile)('go', ['install', MODULE], { env, timeout: 240_000 })
  } catch {
    return undefined
  }
  return command
}
