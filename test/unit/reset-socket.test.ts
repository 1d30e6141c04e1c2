import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { resetSocket } from '../../protocol/reset-socket.js'

const cleanups: (() => void)[] = []
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup()
})

async function pair(): Promise<{ near: Socket; far: Socket }> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const accepted = once(server, 'connection') as Promise<[Socket]>
  const near = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true })
  const [[far]] = await Promise.all([accepted, once(near, 'connect')])
  cleanups.push(() => {
    far.destroy()
    near.destroy()
    server.close()
  })
  return { near, far }
}

/** Resolves with what the peer learns, at the latest when it writes. */
async function learnt(far: Socket): Promise<string | undefined> {
  let code: string | undefined
  far.on('error', (error: NodeJS.ErrnoException) => (code = error.code)).resume()
  while (!far.destroyed) {
    far.write('anybody?')
    await new Promise((resolve) => setImmediate(resolve))
  }
  return code
}

const RESET = expect.stringMatching(/^(?:ECONNRESET|EPIPE)$/) as string

describe('resetSocket', () => {
  it('resets an open connection', async () => {
    const { near, far } = await pair()
    resetSocket(near)
    await once(near, 'close')
    expect(await learnt(far)).toEqual(RESET)
  })

  it('resets a connection that was ended in the same turn', async () => {
    const { near, far } = await pair()
    near.end()
    resetSocket(near)
    await once(near, 'close')
    expect(await learnt(far)).toEqual(RESET)
  })

  it('resets a connection that was ended before', async () => {
    const { near, far } = await pair()
    near.end()
    await once(near, 'finish')
    resetSocket(near)
    await once(near, 'close')
    expect(await learnt(far)).toEqual(RESET)
  })

  it('waits for nobody who does not read', async () => {
    const { near, far } = await pair()
    while (near.write(Buffer.alloc(1 << 20)) || near.writableLength < 32 << 20);
    near.end()
    resetSocket(near)
    await once(near, 'close')
    expect(await learnt(far)).toEqual(RESET)
  })

  it('gives up a connection that is not open yet', async () => {
    const near = connect({ port: 9, host: '127.0.0.1' }).on('error', () => {})
    resetSocket(near)
    await once(near, 'close')
    expect(near.destroyed).toBe(true)
  })
})
