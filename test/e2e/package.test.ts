import { execFile } from 'node:child_process'
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ensureBuilt, root } from '../support/built.js'

const INSTALL_TIMEOUT_MS = 240_000
const run = promisify(execFile)

let project: string

/** What a user does: an empty project, and the packed tarball installed into it. */
beforeAll(async () => {
  await ensureBuilt()
  project = await mkdtemp(join(tmpdir(), 'cranker-package-'))
  await run('npm', ['pack', '--ignore-scripts', '--pack-destination', project], { cwd: root })
  const tarball = (await readdir(project)).find((name) => name.endsWith('.tgz'))
  await writeFile(join(project, 'package.json'), JSON.stringify({ name: 'embedder', private: true, type: 'module' }))
  const flags = ['--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error']
  await run('npm', ['install', ...flags, `./${String(tarball)}`], { cwd: project })
}, INSTALL_TIMEOUT_MS)

afterAll(async () => {
  await rm(project, { recursive: true, force: true })
})

describe('the packed package', () => {
  it('holds what is needed and nothing else', async () => {
    const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--dry-run', '--json'], { cwd: root })
    const [{ files }] = JSON.parse(stdout) as [{ files: { path: string }[] }]
    const paths = files.map(({ path }) => path)
    expect(paths).toContain('dist/router/index.js')
    expect(paths).toContain('dist/connector/index.d.ts')
    expect(paths).toContain('LICENSE')
    expect(
      paths.filter((path) =>
        /^(?:test\/(?!vectors\/[\w-]+\.json$)|scripts\/|\.ci\/|node_modules\/)|\.tsbuildinfo$|\.built$/.test(path),
      ),
    ).toEqual([])
  })

  it.each(['cranker', 'cranker-router', 'cranker-connector'])('runs %s', async (name) => {
    const command = join(project, 'node_modules/.bin', name)
    expect((await run(command, ['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+/)
    expect((await run(command, ['--help'])).stdout).toContain(`Usage: ${name}`)
  })

  it('is embedded in three lines', async () => {
    await writeFile(
      join(project, 'embed.mjs'),
      `import { createConnector } from 'cranker/connector'
       import { createRouter } from 'cranker/router'
       const router = await createRouter({ host: '127.0.0.1', port: 0, registrationPort: 0 })
       const app = (req, res) => res.end('from the app: ' + req.url)
       const connector = await createConnector({ routers: [router.address.registration.url], route: 'my-service', target: app })
       console.log(await (await fetch(router.address.public.url + '/my-service/x')).text())
       await connector.close()
       await router.close()
      `,
    )
    expect((await run(process.execPath, ['embed.mjs'], { cwd: project })).stdout).toBe('from the app: /my-service/x\n')
  })

  it('has the test vectors', async () => {
    const source = `import { createRequire } from 'node:module'
       const { frames } = createRequire(import.meta.url)('cranker/vectors/v3-frames.json')
       console.log(frames.length > 10)`
    await writeFile(join(project, 'vectors.mjs'), source)
    expect((await run(process.execPath, ['vectors.mjs'], { cwd: project })).stdout).toBe('true\n')
  })

  it('has types that resolve without any other package', async () => {
    await writeFile(
      join(project, 'embed.ts'),
      `import { createServer } from 'node:http'
       import { createConnector, type ConnectorOptions } from 'cranker/connector'
       import { createRouter, type RouterOptions } from 'cranker/router'
       import { CrankerError } from 'cranker/protocol'
       const connectorOptions: ConnectorOptions = { routers: 'ws://dmz:8081', route: 'x', target: createServer() }
       const routerOptions: RouterOptions = { port: 0 }
       // @ts-expect-error a port is a number
       const wrong: RouterOptions = { port: '0' }
       export async function start(): Promise<number> {
         await using router = await createRouter(routerOptions)
         const connector = await createConnector(connectorOptions)
         connector.on('registered', () => {})
         await connector.close()
         return router.address.public.port
       }
       export const isOurs = (error: unknown): boolean => error instanceof CrankerError && error.code === 'CRANKER_ERR_LISTEN'
       export { wrong }
      `,
    )
    const types = join(project, 'node_modules/@types')
    await mkdir(types, { recursive: true })
    await symlink(join(root, 'node_modules/@types/node'), join(types, 'node'))
    const tsc = join(root, 'node_modules/typescript/bin/tsc')
    const flags = [
      '--noEmit',
      '--strict',
      '--module',
      'nodenext',
      '--target',
      'es2023',
      '--lib',
      'es2023,esnext.disposable',
    ]
    const result = await run(process.execPath, [tsc, ...flags, '--types', 'node', 'embed.ts'], { cwd: project }).catch(
      (error: unknown) => error as { stdout: string },
    )
    expect(result.stdout).toBe('')
  })
})
