/** `cranker decode`: makes what was seen on a tunnel readable. */

import { readFileSync } from 'node:fs'
import { describeMeaning } from '../protocol/describe.js'
import { type Meaning, meaningOf, type Sender, type TunnelMessage } from '../protocol/meaning.js'
import type { ProtocolVersion } from '../protocol/session.js'
import { type Chunk, readChunks } from './decode-input.js'
import { readWebSocketStream } from './decode-websocket.js'
import type { CommandLine, Flag } from './flags.js'
import { readCommandLine } from './run.js'
import { oneOf, UsageError } from './values.js'

const INPUT = 'Input:'
const OUTPUT = 'Output:'

const decodeFlags = {
  protocol: {
    kind: 'value',
    group: INPUT,
    describe: 'Version of the Cranker protocol: 3.0 or 1.0',
    default: '3.0, or what the handshake of --websocket says',
    parse: oneOf('3.0', '1.0'),
  },
  format: {
    kind: 'value',
    group: INPUT,
    describe: 'hex (plain, or as xxd, hexdump -C and tcpdump print it), base64, binary, or auto',
    default: 'auto',
    parse: oneOf('auto', 'hex', 'base64', 'binary'),
  },
  websocket: {
    kind: 'switch',
    group: INPUT,
    describe: 'The input is one direction of a TCP stream: cut it into WebSocket messages (RFC 6455) and unmask them',
  },
  json: { kind: 'switch', group: OUTPUT, describe: 'One JSON object per message instead of a line of text' },
  redact: {
    kind: 'switch',
    group: OUTPUT,
    describe: 'Hide the values of fields that carry secrets, such as Authorization and Cookie',
  },
} satisfies Record<string, Flag>

const line = (name: string): CommandLine<typeof decodeFlags> => ({
  name,
  summary:
    'Makes messages of a tunnel readable, one line each: read from a file or from standard input.\n\n' +
    'Of text, each line is one message; where empty lines part groups of lines, a group is one.',
  flags: decodeFlags,
  operands: { usage: '[FILE]', most: 1 },
  envPrefix: 'CRANKER_DECODE',
  examples: [
    [`echo '01 05 00000001 474554202f20485454502f312e310a' | ${name}`, 'A frame of 3.0 in hex'],
    [`${name} --protocol 1.0 --format binary message.bin`, 'A message of 1.0, as it is'],
    [`${name} --websocket --json stream.bin`, 'One direction of a captured connection'],
  ],
})

/** One message, or why it could not be read. */
interface Decoded {
  readonly from?: Sender | undefined
  readonly meaning?: Meaning
  /** A handshake, or what is no message. */
  readonly note?: string
  readonly problem?: string | undefined
}

export async function decodeCommand(name: string, argv: readonly string[], env: NodeJS.ProcessEnv): Promise<undefined> {
  const given = await readCommandLine(line(name), argv, env)
  if (given === undefined) return
  const { values, operands } = given
  const chunks = readChunks(readInput(operands[0]), values.format ?? 'auto')
  if (chunks.length === 0) throw new UsageError('there is nothing to decode')
  const { redact } = values
  const decoded: Decoded[] = values.websocket
    ? ofStream(chunks, values.protocol, redact)
    : chunks.map(({ bytes }) => {
        const version = values.protocol ?? '3.0'
        return { meaning: meaningOf(version, messageOf(version, bytes), { redact }) }
      })
  for (const each of decoded) {
    process.stdout.write(`${values.json ? json(each) : text(each)}\n`)
    if ((each.meaning?.problem ?? each.problem) !== undefined) process.exitCode = 1
  }
}

function readInput(file: string | undefined): Buffer {
  const path = file === undefined || file === '-' ? 0 : file
  if (path === 0 && process.stdin.isTTY) process.stderr.write('Reading from the terminal; Ctrl-D ends the input.\n')
  try {
    return readFileSync(path)
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? String(error)
    throw new UsageError(`cannot read ${path === 0 ? 'standard input' : `"${path}"`}: ${why}`)
  }
}

/** Outside of a WebSocket nothing says whether a message of 1.0 is text, but heads and markers look like nothing else. */
function messageOf(version: ProtocolVersion, bytes: Buffer): TunnelMessage {
  if (version === '1.0') {
    const start = bytes.toString('latin1', 0, 200)
    if (/^(?:_3\s*$|[A-Z]+ \S+ HTTP\/|(?:HTTP\/\S*)? \d{3}(?:\s|$))/.test(start))
      return { kind: 'text', text: bytes.toString('utf8') }
  }
  return { kind: 'binary', data: bytes }
}

function ofStream(chunks: readonly Chunk[], given: ProtocolVersion | undefined, redact: boolean): Decoded[] {
  const stream = readWebSocketStream(Buffer.concat(chunks.map(({ bytes }) => bytes)))
  const { handshake, from, messages, problem } = stream
  const version = given ?? stream.version ?? '3.0'
  /** 3.0 exchanges whose head has begun and not ended. */
  const partial = new Set<number>()
  const decoded: Decoded[] = messages.map((message) => {
    const id = message.kind === 'binary' && message.data.length >= 6 ? message.data.readInt32BE(2) : 0
    const meaning = meaningOf(version, message, { redact, from, continued: partial.has(id) })
    if (meaning.name === 'HEADER') {
      if (meaning.flags?.includes('END_HEADERS') === true) partial.delete(id)
      else partial.add(id)
    }
    return { from, meaning }
  })
  if (handshake !== undefined) decoded.unshift({ note: handshake.trimEnd().replaceAll('\r\n', ' ⏎ ') })
  if (problem !== undefined) decoded.push({ problem })
  return decoded
}

function text({ from, meaning, note, problem }: Decoded): string {
  if (meaning !== undefined) return describeMeaning(meaning, { from })
  return note === undefined ? `✗ ${problem ?? ''}` : `HANDSHAKE ${note}`
}

function json({ from, meaning, note, problem }: Decoded): string {
  if (meaning === undefined) return JSON.stringify(note === undefined ? { problem } : { name: 'HANDSHAKE', text: note })
  const { payload, ...rest } = meaning
  return JSON.stringify({ from, ...rest, payload: payload?.toString('hex') })
}
