/** Certificates and HTTP/2 as an operator asks for them on the command line. */
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import tls from 'node:tls'
import { afterEach, beforeAll, expect, it } from 'vitest'
import { ensureBuilt } from '../support/built.js'
import { certificateFiles, oneExample, twoExample } from '../support/certificates.js'
import { Http2Client } from '../support/http2-client.js'
import { RunningCommand } from '../support/process.js'

const ports = ['--host=127.0.0.1', '--port=0', '--registration-port=0', '--start-grace=0', '--log-format=json']
let command: RunningCommand

beforeAll(ensureBuilt, 180_000)
afterEach(() => command.dispose())

const start = async (...flags: readonly string[]): Promise<number> => {
  command = new RunningCommand('cranker-router', [...ports, ...flags])
  const line = await command.logged('router listening')
  return Number(new URL(String(line['public'])).port)
}

async function shown(port: number, servername: string): Promise<string> {
  const socket = tls.connect({ port, host: '127.0.0.1', servername, rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  const name = String(socket.getPeerCertificate().subject.CN)
  socket.destroy()
  return name
}

it('several certificates are given in pairs, and SIGHUP reads them again', async () => {
  const one = certificateFiles(oneExample)
  const two = certificateFiles(twoExample)
  const port = await start(
    `--tls-cert=${one.certFile}`,
    '--tls-key',
    one.keyFile,
    `--tls-cert=${two.certFile}`,
    `--tls-key=${two.keyFile}`,
  )
  expect([await shown(port, 'one.example'), await shown(port, 'two.example')]).toEqual(['one.example', 'two.example'])
  writeFileSync(one.certFile, twoExample.cert)
  command.kill('SIGHUP')
  await command.logged('certificates cannot be used: the old ones stay')
  expect(await shown(port, 'one.example')).toBe('one.example')
  writeFileSync(one.keyFile, twoExample.key)
  command.kill('SIGHUP')
  await command.logged('certificates were read again')
  expect(await shown(port, 'one.example')).toBe('two.example')
  command.kill('SIGTERM')
  expect(await command.exited).toEqual({ code: 0, signal: null })
})

it('a changed certificate is taken over without being told', async () => {
  const one = certificateFiles(oneExample)
  const port = await start(`--tls-cert=${one.certFile}`, `--tls-key=${one.keyFile}`)
  writeFileSync(one.certFile, twoExample.cert)
  writeFileSync(one.keyFile, twoExample.key)
  await command.logged('certificates have changed: the new ones are used')
  expect(await shown(port, 'a')).toBe('two.example')
})

it('HTTP/2 without TLS is spoken on request, and shown in the log', async () => {
  const client = new Http2Client(await start('--http2-cleartext'))
  expect((await client.fetch({ ':path': '/x' })).status).toBe(404)
  const line = await command.logged('request')
  expect(line).toMatchObject({ httpVersion: '2.0', target: '/x', status: 404 })
  client.destroy()
})
