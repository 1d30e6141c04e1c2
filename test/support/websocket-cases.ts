/** What a client may send on a WebSocket, right and wrong, generated: RFC 6455 §5 to §8. */

const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d])

export interface FrameOptions {
  readonly opcode: number
  readonly payload?: Buffer | string
  /** Default true. */
  readonly fin?: boolean
  /** Three bits. Default 0. */
  readonly rsv?: number
  /** Default true, as a client must (§5.1). */
  readonly masked?: boolean
  /** Bytes of the length field's extension, whatever the length needs: 0, 2 or 8. Default: as few as possible. */
  readonly lengthBytes?: 0 | 2 | 8
}

export function frame({ opcode, payload = '', fin = true, rsv = 0, masked = true, lengthBytes }: FrameOptions): Buffer {
  const body = Buffer.from(payload)
  const extension = lengthBytes ?? (body.length < 126 ? 0 : body.length < 65_536 ? 2 : 8)
  const head = Buffer.alloc(2 + extension)
  head[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode
  head[1] = (masked ? 0x80 : 0) | (extension === 0 ? body.length : extension === 2 ? 126 : 127)
  if (extension === 2) head.writeUInt16BE(body.length, 2)
  if (extension === 8) head.writeBigUInt64BE(BigInt(body.length), 2)
  if (!masked) return Buffer.concat([head, body])
  for (let i = 0; i < body.length; i++) body[i] = (body[i] as number) ^ (MASK[i % 4] as number)
  return Buffer.concat([head, MASK, body])
}

const TEXT = 1
const BINARY = 2
const CLOSE = 8
const PING = 9

export function closeFrame(code: number, reason = ''): Buffer {
  const payload = Buffer.alloc(2)
  payload.writeUInt16BE(code)
  return frame({ opcode: CLOSE, payload: Buffer.concat([payload, Buffer.from(reason)]) })
}

export interface Case {
  readonly name: string
  readonly bytes: Buffer
}

export function websocketCases(): Case[] {
  const cases: Case[] = []
  const add = (name: string, ...frames: readonly Buffer[]): void => {
    cases.push({ name, bytes: Buffer.concat(frames) })
  }
  for (let opcode = 0; opcode < 16; opcode++) {
    for (const fin of [true, false])
      add(`opcode ${opcode}${fin ? '' : ' without FIN'}`, frame({ opcode, fin, payload: 'ab' }))
    add(`opcode ${opcode} unmasked`, frame({ opcode, payload: 'ab', masked: false }))
    add(`opcode ${opcode} empty`, frame({ opcode }))
  }
  for (let rsv = 1; rsv < 8; rsv++) add(`reserved bits ${rsv}`, frame({ opcode: TEXT, rsv, payload: 'ab' }))
  for (const size of [0, 1, 124, 125, 126, 127, 128, 65_534, 65_535, 65_536, 65_537, 200_000]) {
    for (const opcode of [TEXT, BINARY, PING]) {
      add(`opcode ${opcode} of ${size} bytes`, frame({ opcode, payload: Buffer.alloc(size, 'x') }))
    }
  }
  for (const lengthBytes of [2, 8] as const) {
    add(`a length in ${lengthBytes} bytes more than it needs`, frame({ opcode: TEXT, payload: 'ab', lengthBytes }))
    add(`a ping with its length in ${lengthBytes} bytes`, frame({ opcode: PING, payload: 'ab', lengthBytes }))
  }
  const huge = Buffer.from([0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 1, ...MASK, 0])
  add('a length with its highest bit set', huge)
  for (const count of [2, 3, 20]) {
    const parts = Array.from({ length: count }, (_, i) =>
      frame({ opcode: i === 0 ? TEXT : 0, fin: i === count - 1, payload: `part ${i} ` }),
    )
    add(`${count} fragments`, ...parts)
    add(
      `${count} fragments with pings between them`,
      ...parts.flatMap((part) => [part, frame({ opcode: PING, payload: 'p' })]),
    )
    add(`${count} fragments, then one too many`, ...parts, frame({ opcode: 0, payload: 'x' }))
  }
  add(
    'a new message within fragments',
    frame({ opcode: TEXT, fin: false, payload: 'a' }),
    frame({ opcode: TEXT, payload: 'b' }),
  )
  add('fragments that never end', frame({ opcode: TEXT, fin: false, payload: 'a' }))
  for (const code of [
    0, 999, 1000, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1011, 1012, 1014, 1015, 1016, 2999, 3000, 4999, 5000,
    65_535,
  ]) {
    add(`close ${code}`, closeFrame(code, 'why'))
  }
  add('close with one byte', frame({ opcode: CLOSE, payload: 'x' }))
  add('close with a reason of 123 bytes', closeFrame(1000, 'x'.repeat(123)))
  add('close with a reason that is no UTF-8', frame({ opcode: CLOSE, payload: Buffer.from([0x03, 0xe8, 0xff]) }))
  add('a message after close', closeFrame(1000), frame({ opcode: TEXT, payload: 'late' }))
  for (const hex of [
    'c3a9',
    'e282ac',
    'f09f9880',
    'c328',
    'a0a1',
    'e28228',
    'f0288cbc',
    'f8a1a1a1a1',
    'eda080',
    'c0af',
    'f4908080',
    'ff',
  ]) {
    const payload = Buffer.from(hex, 'hex')
    add(`text ${hex}`, frame({ opcode: TEXT, payload }))
    add(`binary ${hex}`, frame({ opcode: BINARY, payload }))
    add(
      `text ${hex} in two fragments`,
      frame({ opcode: TEXT, fin: false, payload: payload.subarray(0, 1) }),
      frame({ opcode: 0, payload: payload.subarray(1) }),
    )
  }
  const whole = frame({ opcode: TEXT, payload: 'truncated' })
  for (let cut = 1; cut < whole.length; cut++) add(`a frame cut after ${cut} bytes`, whole.subarray(0, cut))
  add(
    '500 messages at once',
    ...Array.from({ length: 500 }, (_, i) => frame({ opcode: TEXT, payload: `message ${i}` })),
  )
  add('no frame at all', Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n'))
  return cases
}
