/** Which certificate a client is shown, and what happens when the files change. */
import { writeFileSync } from 'node:fs'
import tls from 'node:tls'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { createRouter, type Router } from '../../router/index.js'
import { CertificateWatch, CERTIFICATE_CHECK_MS } from '../../router/tls/certificate-watch.js'
import { Certificates } from '../../router/tls/certificates.js'
import { silentLogger } from '../../protocol/logger.js'
import {
  type CertificateFiles,
  certificateFiles,
  oneExample as one,
  twoExample as two,
} from '../support/certificates.js'
import { FakeClock } from '../support/fake-clock.js'

const ports = { host: '127.0.0.1', port: 0, registrationPort: 0 }

/** The common name of the certificate that a client is shown. */
function shown(port: number, servername?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = servername === undefined ? {} : { servername }
    const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN))
      socket.destroy()
    })
    socket.on('error', reject)
  })
}

interface Pem {
  readonly cert: string
  readonly key: string
}

function files(): CertificateFiles & { become(other: Pem): void } {
  const made = certificateFiles(one)
  const become = ({ cert, key }: Pem): void => {
    writeFileSync(made.certFile, cert)
    writeFileSync(made.keyFile, key)
  }
  return { ...made, become }
}

describe('of several certificates', () => {
  let router: Router | undefined
  afterAll(() => router?.close())

  it.each([
    ['one.example', 'one.example'],
    ['two.example', 'two.example'],
    ['TWO.example', 'two.example'],
    ['www.two.example', 'two.example'],
    ['a.b.two.example', 'one.example'],
    ['unknown.example', 'one.example'],
    ['odd name', 'one.example'],
    [undefined, 'one.example'],
  ])('a client that asks for %s gets %s', async (asked, got) => {
    router ??= await createRouter({ ...ports, tls: [one, certificateFiles(two)] })
    expect(await shown(router.address.public.port, asked)).toBe(got)
    expect(await shown(router.address.registration.port, asked)).toBe(got)
  })
})

describe('a certificate file that changes', () => {
  it('is taken over on both ports when asked for', async () => {
    const { become, ...paths } = files()
    await using router = await createRouter({ ...ports, tls: paths })
    const { public: open, registration } = router.address
    expect(await shown(open.port)).toBe('one.example')
    become(two)
    router.reloadCertificates()
    expect([await shown(open.port), await shown(registration.port), await shown(open.port, 'x.two.example')]).toEqual(
      Array(3).fill('two.example'),
    )
  })

  it('and is bad changes nothing', async () => {
    const { become, ...paths } = files()
    await using router = await createRouter({ ...ports, tls: [paths, two] })
    writeFileSync(paths.certFile, 'garbage')
    expect(() => router.reloadCertificates()).toThrow(expect.objectContaining({ code: 'CRANKER_ERR_OPTION' }))
    expect(await shown(router.address.public.port)).toBe('one.example')
    become(two)
    router.reloadCertificates()
    expect(await shown(router.address.public.port)).toBe('two.example')
  })

  it('does not disturb connections that are open', async () => {
    const { become, ...paths } = files()
    await using router = await createRouter({ ...ports, startGrace: 0, tls: paths })
    const socket = tls.connect({ port: router.address.public.port, host: '127.0.0.1', rejectUnauthorized: false })
    await new Promise((resolve) => socket.once('secureConnect', resolve))
    become(two)
    router.reloadCertificates()
    const answer = new Promise<string>((resolve) => socket.once('data', (data) => resolve(data.toString())))
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    expect(await answer).toMatch(/^HTTP\/1.1 404/)
    socket.destroy()
  })

  it('is noticed once it has stood still, and only then', async () => {
    const { become, ...paths } = files()
    const clock = new FakeClock()
    const certificates = new Certificates([paths])
    const reload = vi.spyOn(certificates, 'reload')
    const watch = new CertificateWatch(certificates, clock, silentLogger)
    await watch.look()
    writeFileSync(paths.certFile, two.cert)
    await watch.look()
    writeFileSync(paths.keyFile, two.key)
    await watch.look()
    expect(reload).not.toHaveBeenCalled()
    await watch.look()
    expect(reload).toHaveBeenCalledTimes(1)
    await watch.look()
    expect(reload).toHaveBeenCalledTimes(1)
    become(one)
    watch.stop()
    await watch.look()
    clock.advance(10 * CERTIFICATE_CHECK_MS)
    expect(clock.pending).toBe(0)
  })

  it('and stays bad is told once, and the next good one is taken', async () => {
    const { become, ...paths } = files()
    const certificates = new Certificates([paths])
    const error = vi.fn()
    const watch = new CertificateWatch(certificates, new FakeClock(), { ...silentLogger, error })
    await watch.look()
    writeFileSync(paths.keyFile, 'garbage')
    for (let i = 0; i < 4; i++) await watch.look()
    expect(error).toHaveBeenCalledTimes(1)
    become(two)
    const before = certificates.serverOptions.cert
    for (let i = 0; i < 2; i++) await watch.look()
    expect(certificates.serverOptions.cert).not.toEqual(before)
    watch.stop()
  })

  it('is looked at now and then without being asked', async () => {
    const { become, ...paths } = files()
    const clock = new FakeClock()
    const certificates = new Certificates([paths])
    const reloaded = new Promise<void>((resolve) => {
      vi.spyOn(certificates, 'reload').mockImplementation(() => resolve())
    })
    const watch = new CertificateWatch(certificates, clock, silentLogger)
    await vi.waitUntil(() => clock.pending === 1)
    become(two)
    const ticking = setInterval(() => clock.advance(CERTIFICATE_CHECK_MS), 5)
    await reloaded
    clearInterval(ticking)
    watch.stop()
  })
})

it.each([
  [{ certFile: '/nonexistent', keyFile: '/nonexistent' }, /cannot be read/],
  [{ cert: one.cert, key: two.key }, /cannot be used/],
  [[], /at least one/],
])('what cannot be used is refused at the start', async (given, message) => {
  await expect(createRouter({ ...ports, tls: given })).rejects.toThrow(message)
})
