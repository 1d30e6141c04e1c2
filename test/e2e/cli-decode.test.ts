import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { bin, ensureBuilt } from '../support/built.js'
import { temporaryFolder } from '../support/temporary-folder.js'

beforeAll(ensureBuilt, 120_000)

function decode(args: readonly string[], input: string | Buffer) {
  const env = { PATH: process.env['PATH'] }
  const { status, stdout, stderr } = spawnSync(process.execPath, [bin('cranker'), 'decode', ...args], {
    input,
    env,
    encoding: 'utf8',
  })
  return { status, stdout, stderr }
}

const FRAME = '010500000001474554202f20485454502f312e310a'

describe('cranker decode', () => {
  it('prints a line per message of standard input', () => {
    expect(decode([], `${FRAME}\n080000000001 00004000\n`)).toEqual({
      status: 0,
      stdout: 'HEADER #1 END_STREAM|END_HEADERS 15 B "GET / HTTP/1.1⏎"\nWINDOW_UPDATE #1 +16384\n',
      stderr: '',
    })
  })

  it('reads a file, and messages of 1.0', () => {
    const file = join(temporaryFolder(), 'message')
    writeFileSync(file, 'GET / HTTP/1.1\ncookie:a=1\n\n_2')
    expect(decode(['--protocol', '1.0', '--format', 'binary', '--redact', file], '').stdout).toBe(
      'REQUEST 29 B "GET / HTTP/1.1⏎cookie:***⏎⏎_2"\n',
    )
  })

  it('prints JSON', () => {
    expect(JSON.parse(decode(['--json'], FRAME).stdout)).toEqual({
      name: 'HEADER',
      id: 1,
      flags: ['END_STREAM', 'END_HEADERS'],
      bytes: 15,
      text: 'GET / HTTP/1.1\n',
      head: { method: 'GET', target: '/', headers: [] },
    })
  })

  it('reads a captured stream, handshake included', () => {
    const head = 'HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Protocol: cranker_3.0\r\n\r\n'
    const stream = Buffer.concat([Buffer.from(head), Buffer.from([0x82, 0x15]), Buffer.from(FRAME, 'hex')])
    const { stdout, status } = decode(['--websocket', '--format', 'binary'], stream)
    expect(stdout.split('\n')).toEqual([
      'HANDSHAKE HTTP/1.1 101 Switching Protocols ⏎ Sec-WebSocket-Protocol: cranker_3.0',
      '→ HEADER #1 END_STREAM|END_HEADERS 15 B "GET / HTTP/1.1⏎"',
      '',
    ])
    expect(status).toBe(0)
  })

  it('exits with 1 when something could not be decoded', () => {
    const { status, stdout } = decode([], '0001')
    expect(stdout).toMatch(/^SHORT 2 B 0x0001 ✗ /)
    expect(status).toBe(1)
  })

  it.each([
    [['/does/not/exist'], '', 'cranker decode: cannot read "/does/not/exist": ENOENT. Try cranker decode --help.\n'],
    [[], '', 'cranker decode: there is nothing to decode. Try cranker decode --help.\n'],
    [['--format', 'hex'], 'xyz', 'cranker decode: line 1 is not hex: it contains "x". Try cranker decode --help.\n'],
    [['a', 'b'], '', 'cranker decode: unexpected argument "b". Try cranker decode --help.\n'],
  ])('exits with 2 for what it cannot use: %j', (args, input, stderr) => {
    expect(decode(args, input)).toEqual({ status: 2, stdout: '', stderr })
  })
})
