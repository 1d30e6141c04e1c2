/** Who is measured, and how each is started in front of an origin. */
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { LATE_FLAGS, RUNTIME_FLAGS } from '../../dist/cli/runtime-flags.js'
import { readyForGrpc } from './grpc.mjs'
import { proxyConfig, startNginx } from './nginx.mjs'
import { freePort, ready } from './processes.mjs'

/** The id of the contestant that ratios refer to… */
export const CHAIN = 'chain'
/** …and over a long path. */
export const TCP_CHAIN = 'tcp'

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
 * @property {'websocket' | 'h2' | 'grpc'} [carries] besides HTTP/1.1; the last two over TLS, from the client on
 * @property {{ delayMs: number, bytesPerSecond: number }} [path] between the two proxies, each way; default: loopback
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
  { id: TCP_CHAIN, label: 'TCP proxy → TCP proxy', needs: [], start: tcpChain },
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
    if (setting.carries === 'grpc') await readyForGrpc(port)
    else await ready(port, { tls: setting.carries === 'h2' })
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
      const { processes, tls, target, routerArgs, connectorArgs, carries } = setting
      const port = await freePort()
      const registration = await freePort()
      const url = `${scheme}://127.0.0.1:${await far(setting, registration)}`
      const common = ['--log-level', 'warn', '--protocol', protocol]
      const keys =
        secure && tls !== undefined ? ['--registration-tls-cert', tls.cert, '--registration-tls-key', tls.key] : []
      const front =
        tls === undefined || !overTls(setting)
          ? []
          : ['--tls-cert', tls.cert, '--tls-key', tls.key, ...(secure ? [] : ['--registration-plain'])]
      const ports = ['--host', '127.0.0.1', '--port', port, '--registration-port', registration]
      const router = processes.start(process.execPath, [
        ...flags,
        ...[bin('cranker-router'), ...ports, ...common, ...keys, ...front, ...routerArgs],
        '--no-access-log',
      ])
      const connector = processes.start(
        process.execPath,
        inProcess
          ? [...RUNTIME_FLAGS, ...LATE_FLAGS, here('in-process.mjs'), url, protocol]
          : [
              ...flags,
              ...[bin('cranker-connector'), '--router', url, ...common, ...connectorArgs],
              ...['--route', '*', '--target', `http://127.0.0.1:${target}`, '--insecure-skip-verify'],
              ...(carries === 'grpc' ? ['--target-protocol', 'http2'] : []),
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
async function nginxChain(setting, secure) {
  const { processes, nginx = 'nginx', dir, target, tls, carries } = setting
  const port = await freePort()
  const middle = await freePort()
  const http2 = overTls(setting)
  const between = { tls: secure ? tls : undefined, http2: carries === 'grpc' }
  const inner = proxyConfig({ port: middle, to: target, carries, ...between })
  const front = { tls: http2 ? tls : undefined, http2 }
  const outer = proxyConfig({ port, to: await far(setting, middle), toTls: secure, carries, ...front })
  return {
    port,
    pids: [
      startNginx(processes, nginx, join(dir, `nginx-${middle}`), inner),
      startNginx(processes, nginx, join(dir, `nginx-${port}`), outer),
    ],
  }
}

/** The public port speaks TLS, and HTTP/2. @param {Setting} setting */
const overTls = ({ carries }) => carries === 'h2' || carries === 'grpc'

/** @param {Setting} setting */
async function tcpChain(setting) {
  const { processes, target } = setting
  const port = await freePort()
  const middle = await freePort()
  const inner = processes.start(process.execPath, [here('tcp-proxy.mjs'), middle, target])
  const outer = processes.start(process.execPath, [here('tcp-proxy.mjs'), port, await far(setting, middle)])
  return { port, pids: [outer, inner] }
}

/**
 * The port at which the outer one of two proxies reaches the inner one, which listens on `port`, or the other way round.
 * @param {Setting} setting
 * @param {number} port
 */
async function far({ processes, path }, port) {
  if (path === undefined) return port
  const near = await freePort()
  processes.start(process.execPath, [here('relay.mjs'), near, port, path.delayMs, path.bytesPerSecond])
  return near
}

/** @param {Setting} setting */
async function plainProxy({ processes, target }) {
  const port = await freePort()
  return { port, pids: [processes.start(process.execPath, [here('plain-proxy.mjs'), port, target])] }
}
