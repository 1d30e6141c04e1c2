import { describe, expect, it } from 'vitest'
import { startPair, versions } from '../support/pair.js'

describe.each(versions)('a connector that leaves a real router (%s)', (version) => {
  it('costs no request, while another one serves the same route', async () => {
    await using pair = await startPair({ version })
    await pair.connect()
    pair.serve((req, res) => {
      req.resume()
      setImmediate(() => res.end('ok'))
    })
    const url = `http://127.0.0.1:${String(pair.port)}/x`
    let running = true
    const failures: string[] = []
    let answered = 0
    const client = async (): Promise<void> => {
      while (running) {
        const response = await fetch(url, { method: 'POST', body: 'not idempotent' })
        const text = await response.text()
        if (response.status !== 200) failures.push(`${String(response.status)} ${text}`)
        answered++
      }
    }
    const clients = Array.from({ length: 8 }, client)
    const until = async (count: number): Promise<void> => {
      while (answered < count) await new Promise((resolve) => setImmediate(resolve))
    }
    await until(20)
    await pair.connector.close()
    await until(answered + 20)
    running = false
    await Promise.all(clients)
    expect(failures).toEqual([])
  })

  it('answers what runs before it is gone', async () => {
    await using pair = await startPair({ version })
    let finish: (() => void) | undefined
    pair.serve((_req, res) => {
      res.write('half, ')
      finish = () => res.end('whole')
    })
    const response = await fetch(`http://127.0.0.1:${String(pair.port)}/x`)
    const closing = pair.connector.close()
    finish?.()
    expect(await response.text()).toBe('half, whole')
    await closing
  })

  it('comes back to a router that was restarted', async () => {
    await using pair = await startPair({ version })
    pair.serve((_req, res) => res.end('ok'))
    await pair.restartRouter()
    const response = await fetch(`http://127.0.0.1:${String(pair.port)}/x`)
    expect(await response.text()).toBe('ok')
  })
})
