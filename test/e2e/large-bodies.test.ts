/** 1 GiB each way through two real processes, on one socket shared with 1,000 other streams: memory stays flat. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import http, { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ensureBuilt } from '../support/built.js'
import { RunningCommand } from '../support/process.js'

const MiB = 1024 * 1024
const SIZE = 1024 * MiB
const STREAMS = 1_000
const GROWTH_LIMIT = 64 * MiB
const TIMEOUT_MS = 180_000

/** Every chunk differs from its neighbours, so that one lost, doubled or moved is seen. */
const CHUNK = 64 * 1024
function chunkAt(index: number): Buffer {
  const chunk = Buffer.alloc(CHUNK, index & 0xff)
  chunk.writeUInt32BE(index, 0)
  return chunk
}

/** Checks a stream of such chunks, however it is cut. */
class Checker {
  bytes = 0
  wrong = 0
  take(piece: Buffer): void {
    for (let at = 0; at < piece.length;) {
      const index = Math.floor(this.bytes / CHUNK)
      const offset = this.bytes % CHUNK
      const length = Math.min(CHUNK - offset, piece.length - at)
      if (
        !chunkAt(index)
          .subarray(offset, offset + length)
          .equals(piece.subarray(at, at + length))
      )
        this.wrong++
      at += length
      this.bytes += length
    }
  }
}

async function sendAll(to: NodeJS.WritableStream): Promise<void> {
  for (let index = 0; index < SIZE / CHUNK; index++) {
    if (!to.write(chunkAt(index))) await once(to, 'drain')
  }
  to.end()
}

function memoryOf(command: RunningCommand, field: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${String(command.child.pid)}/status`, 'utf8')
  return Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1]) * 1024
}

/** Makes VmHWM start again from the memory that is used now. */
function resetPeak(command: RunningCommand): void {
  writeFileSync(`/proc/${String(command.child.pid)}/clear_refs`, '5')
}

describe.skipIf(!existsSync('/proc/self/clear_refs'))('1 GiB beside 1,000 streams', () => {
  const held: ServerResponse[] = []
  const upload = new Checker()
  const service = createServer((req, res) => {
    if (req.url === '/hold') {
      res.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
      held.push(res)
    } else if (req.method === 'POST') {
      req.on('data', (piece: Buffer) => upload.take(piece))
      req.on('end', () => res.end(String(upload.bytes)))
    } else {
      void sendAll(res)
    }
  })
  const agent = new http.Agent({ keepAlive: false, maxSockets: Infinity })
  let router: RunningCommand
  let connector: RunningCommand
  let url: string

  beforeAll(async () => {
    await ensureBuilt()
    service.listen(0, '127.0.0.1')
    await once(service, 'listening')
    const { port } = service.address() as AddressInfo
    const quiet = ['--no-access-log', '--max-streams', '1100']
    router = new RunningCommand('cranker-router', ['--host=127.0.0.1', '--port=0', '--registration-port=0', ...quiet])
    const line = await router.logged('router listening')
    url = String(line['public'])
    connector = new RunningCommand('cranker-connector', [
      `--router=${String(line['registration'])}`,
      `--route=*=http://127.0.0.1:${String(port)}`,
      '--protocol=3.0',
      '--window=1',
      '--max-streams=1100',
      '--target-max-connections=1100',
    ])
    // One after the other in batches: the public port is asked as a thousand people would, not as an attack.
    for (let i = 0; i < STREAMS; i += 50) await Promise.all(Array.from({ length: 50 }, hold))
  }, TIMEOUT_MS)

  afterAll(async () => {
    agent.destroy()
    service.closeAllConnections()
    service.close()
    await Promise.all([router.dispose(), connector.dispose()])
  })

  function hold(): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      http
        .get(`${url}/hold`, { agent }, (res) => {
          res.on('error', () => undefined)
          res.resume()
          resolve(res)
        })
        .on('error', reject)
    })
  }

  /** Runs `transfer` and returns by how much each process grew at most. */
  async function growth(transfer: () => Promise<void>): Promise<number[]> {
    const commands = [router, connector]
    const before = commands.map((command) => memoryOf(command, 'VmRSS'))
    commands.forEach(resetPeak)
    const done = new AbortController()
    const events = (async () => {
      while (!done.signal.aborted) {
        for (const res of held) res.write('data: x\n\n')
        await new Promise((resolve) => setTimeout(resolve, 200))
      }
    })()
    await transfer()
    done.abort()
    await events
    return commands.map((command, i) => memoryOf(command, 'VmHWM') - (before[i] as number))
  }

  it(
    'goes down intact while memory stays flat',
    async () => {
      const down = new Checker()
      const grown = await growth(async () => {
        const [res] = (await once(http.get(`${url}/down`, { agent }), 'response')) as [IncomingMessage]
        for await (const piece of res) down.take(piece as Buffer)
      })
      expect(held).toHaveLength(STREAMS)
      expect([down.bytes, down.wrong]).toEqual([SIZE, 0])
      expect(Math.max(...grown) / MiB).toBeLessThan(GROWTH_LIMIT / MiB)
    },
    TIMEOUT_MS,
  )

  it(
    'goes up intact while memory stays flat',
    async () => {
      const grown = await growth(async () => {
        const request = http.request(`${url}/up`, { agent, method: 'POST' })
        const response = once(request, 'response') as Promise<[IncomingMessage]>
        await sendAll(request)
        const [res] = await response
        res.resume()
        await once(res, 'end')
      })
      expect([upload.bytes, upload.wrong]).toEqual([SIZE, 0])
      expect(Math.max(...grown) / MiB).toBeLessThan(GROWTH_LIMIT / MiB)
    },
    TIMEOUT_MS,
  )
})
