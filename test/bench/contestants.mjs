/** Who is measured, and how each is started in front of an origin. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PRETENURING_FLAG, RUNTIME_FLAGS } from '../../dist/cli/runtime-flags.js'
import { proxyConfig, startNginx } from './nginx.mjs'
import { freePort, ready } from './processes.mjs'

/** The id of the contestant that ratios refer to. */
export const CHAIN = 'chain'

/**
 * What a contestant is started with.
 * @typedef {object} Setting
 * @property {import('./processes.mjs').Processes} processes
 * @property {string} dir for files, the bench's own
 * @property {number} target the origin's port
 * @property {string | undefined} nginx
 * @property {{ cert: string, key: string } | undefined} tls
 * @property {readonly string[]} routerArgs
 * @property {readonly string[]} connectorArgs
 */

/**
 * @typedef {object} Running
 * @property {string} id
 * @property {string} label
 * @property {number} port where clients connect
 * @property {number[]} pids the proxy processes; the origin is not among them
 */

/**
 * @typedef {object} Contestant
 * @property {string} id
 * @property {string} label
 * @property {readonly ('nginx' | 'tls')[]} needs
 * @property {(setting: Setting) => Promise<{ port: number, pids: number[] }>} start
 */

const here = (/** @type {string} */ name) => fileURLToPath(new URL(name, import.meta.url))
const bin = (/** @type {string} */ name) => here(`../../dist/cli/bin/${name}.js`)

/** @type {readonly Contestant[]} */
export const CONTESTANTS = [
  { id: CHAIN, label: 'nginx → nginx', needs: ['nginx'], start: (setting) => nginxChain(setting, false) },
  {
    id: 'chain-tls',
    label: 'nginx → TLS → nginx',
    needs: ['nginx', 'tls'],
    start: (setting) => nginxChain(setting, true),
  },
  { id: 'plain', label: 'plain Node proxy, one hop', needs: [], start: plainProxy },
  ours('3.0', false),
  ours('3.0', true),
  ours('1.0', false),
  ours('1.0', true),
  ours('3.0', false, true),
  ours('1.0', false, true),
]

/**
 * Starts those that this machine can run, and waits until each answers.
 * @param {readonly string[]} ids
 * @param {Setting} setting
 * @returns {Promise<Running[]>}
 */
export async function startContestants(ids, setting) {
  const running = []
  for (const { id, label, needs, start } of CONTESTANTS) {
    if (!ids.includes(id) || needs.some((need) => setting[need] === undefined)) continue
    const { port, pids } = await start(setting)
    await ready(port)
    running.push({ id, label, port, pids })
  }
  return running
}

/** What the commands give themselves where Node can restart a process (cli/runtime-flags.ts); elsewhere, as advised. */
const flags = 'execve' in process ? [] : RUNTIME_FLAGS

/**
 * @param {'1.0' | '3.0'} protocol
 * @param {boolean} secure
 * @returns {Contestant}
 */
function ours(protocol, secure, inProcess = false) {
  const scheme = secure ? 'wss' : 'ws'
  return {
    id: `${protocol}-${scheme}${inProcess ? '-in' : ''}`,
    label: `cranker ${protocol} over ${scheme}${inProcess ? ', in-process target' : ''}`,
    needs: secure ? ['tls'] : [],
    start: async (setting) => {
      const { processes, tls, target, routerArgs, connectorArgs } = setting
      const port = await freePort()
      const registration = await freePort()
      const url = `${scheme}://127.0.0.1:${registration}`
      const common = ['--log-level', 'warn', '--protocol', protocol]
      const keys =
        secure && tls !== undefined ? ['--registration-tls-cert', tls.cert, '--registration-tls-key', tls.key] : []
      const ports = ['--host', '127.0.0.1', '--port', port, '--registration-port', registration]
      const router = processes.start(process.execPath, [
        ...flags,
        ...[bin('cranker-router'), ...ports, ...common, ...keys, ...routerArgs],
        '--no-access-log',
      ])
      const connector = processes.start(
        process.execPath,
        inProcess
          ? [...RUNTIME_FLAGS, PRETENURING_FLAG, here('in-process.mjs'), url, protocol]
          : [
              ...flags,
              ...[bin('cranker-connector'), '--router', url, ...common, ...connectorArgs],
              ...['--route', '*', '--target', `http://127.0.0.1:${target}`, '--insecure-skip-verify'],
            ],
      )
      return { port, pids: [router, connector] }
    },
  }
}

/**
 * @param {Setting} setting
 * @param {boolean} secure between the two
 */
async function nginxChain({ processes, nginx = 'nginx', dir, target, tls }, secure) {
  const port = await freePort()
  const middle = await freePort()
  const inner = proxyConfig({ port: middle, to: target, tls: secure ? tls : undefined })
  const outer = proxyConfig({ port, to: middle, toTls: secure })
  return {
    port,
    pids: [
      startNginx(processes, nginx, join(dir, `nginx-${middle}`), inner),
      startNginx(processes, nginx, join(dir, `nginx-${port}`), outer),
    ],
  }
}

/** @param {Setting} setting */
async function plainProxy({ processes, target }) {
  const port = await freePort()
  return { port, pids: [processes.start(process.execPath, [here('plain-proxy.mjs'), port, target])] }
}
