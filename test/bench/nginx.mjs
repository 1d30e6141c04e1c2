/** nginx as origin and as the chain that the bars are measured against. One worker, logs off, no temporary files. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SMALL } from './origin-app.mjs'
import { openFiles } from './processes.mjs'

/** Connections of the one worker: two for each client's. */
const FILES = Math.min(32_768, openFiles)

/**
 * @param {import('./processes.mjs').Processes} processes
 * @param {string} command
 * @param {string} dir its prefix, made here
 * @param {string} http what stands in the http block
 */
export function startNginx(processes, command, dir, http) {
  mkdirSync(dir, { recursive: true })
  const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((k) => `${k}_temp_path ${dir}/${k};`).join(' ')
  writeFileSync(
    join(dir, 'nginx.conf'),
    `daemon off; master_process off; worker_processes 1; pid ${dir}/pid; error_log stderr crit;
worker_rlimit_nofile ${FILES};
events { worker_connections ${FILES}; }
http {
  access_log off; ${temp} sendfile on; tcp_nodelay on; client_max_body_size 0;
  keepalive_timeout 600s; keepalive_requests 1000000000;
  ${http}
}
`,
  )
  return processes.start(command, ['-e', 'stderr', '-p', dir, '-c', join(dir, 'nginx.conf')])
}

/** @param {{ port: number, bigDir: string }} options */
export function originConfig({ port, bigDir }) {
  return `server { listen 127.0.0.1:${port} backlog=4096;
    location = / { default_type text/plain; return 200 "${SMALL.toString()}"; }
    location = /big { default_type application/octet-stream; alias ${bigDir}/big; } }`
}

/**
 * @typedef {object} ProxyConfig
 * @property {number} port
 * @property {number} to
 * @property {boolean} [toTls]
 * @property {{ cert: string, key: string } | undefined} [tls]
 * @property {boolean} [http2] spoken by those who come in
 * @property {import('./contestants.mjs').Setting['carries']} [carries]
 *
 * @param {ProxyConfig} config
 */
export function proxyConfig({ port, to, toTls = false, tls, http2 = false, carries }) {
  const secure = tls === undefined ? '' : `ssl_certificate ${tls.cert}; ssl_certificate_key ${tls.key};`
  const listen = `listen 127.0.0.1:${port}${tls === undefined ? '' : ' ssl'}${http2 ? ' http2' : ''} backlog=4096;`
  const connection =
    carries === 'websocket'
      ? 'proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection "upgrade";'
      : 'proxy_set_header Connection "";'
  const pass =
    carries === 'grpc'
      ? 'grpc_pass grpc://next;'
      : `proxy_pass ${toTls ? 'https' : 'http'}://next; proxy_http_version 1.1; ${connection}
      proxy_set_header Host $http_host; proxy_max_temp_file_size 0; proxy_request_buffering off;
      proxy_read_timeout 600s; proxy_send_timeout 600s;`
  return `upstream next { server 127.0.0.1:${to}; keepalive 128; keepalive_requests 1000000000; keepalive_timeout 600s; }
  server { ${listen} ${secure}
    location / { ${pass} } }`
}
