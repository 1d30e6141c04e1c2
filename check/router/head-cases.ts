/** docs/protocol.md, section 3: heads, over both versions. */
import { check, checkSame, shown, type Case } from '../case.js'
import { valuesOf } from './client.js'
import type { RouterContext } from './context.js'
import { fieldsOf } from './exchange.js'

const BOTH = ['3.0', '1.0'] as const
/** RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
/** An odd but legal request target: nothing in it may be decoded, encoded or left out. */
const ODD_TARGET = "/a%2Fb/@scope%2fpkg;p=1:2,3!$'()*+~?x=1&x=2&empty=&plus=a+b&enc=%C3%A4%20%26&f[x]=1&last"

/** Sends a request without a body and answers it; the text of its head. */
async function requestText(
  context: RouterContext,
  options: Parameters<RouterContext['client']>[0] = {},
): Promise<string> {
  const { client, exchange } = await context.start(options)
  exchange.respond('200 OK', ['content-length:0'])
  await context.expectStatus(client, 200)
  return exchange.request.text
}

interface Oddity {
  readonly id: string
  readonly title: string
  readonly head: string
}

/** What published connectors send (section 10). */
const ODDITIES: readonly Oddity[] = [
  { id: 'R3.6', title: 'accepts CRLF in response heads', head: 'HTTP/1.1 200 OK\r\nx-a:1\r\ncontent-length:5\r\n' },
  {
    id: 'R3.7',
    title: 'accepts spaces around names and values',
    head: 'HTTP/1.1 200 OK\nx-a : 1 \ncontent-length: 5\n',
  },
  {
    id: 'R3.8',
    title: 'accepts a response head without a newline at its end',
    head: 'HTTP/1.1 200 OK\nx-a:1\ncontent-length:5',
  },
  { id: 'R3.9', title: 'accepts two newlines at the end', head: 'HTTP/1.1 200 OK\nx-a:1\ncontent-length:5\n\n' },
  {
    id: 'R3.10',
    title: 'skips a second line that repeats the request line',
    head: 'HTTP/1.1 200 OK\nGET /x\nx-a:1\ncontent-length:5\n',
  },
  { id: 'R3.11', title: 'accepts an empty protocol word', head: ' 200 OK\nx-a:1\ncontent-length:5\n' },
  {
    id: 'R3.12',
    title: 'accepts any reason phrase, or none',
    head: 'HTTP/1.1 200\nx-a:1\ncontent-length:5\n',
  },
  {
    id: 'R3.13',
    title: 'skips lines whose name is not a token',
    head: 'HTTP/1.1 200 OK\nbad name:x\n:x\nno colon\nx-a:1\ncontent-length:5\n',
  },
]

export const headCases: readonly Case<RouterContext>[] = [
  {
    id: 'R3.1',
    title: 'begins a request head with METHOD SP target SP HTTP/1.1',
    section: '3.1',
    versions: BOTH,
    run: async (context) => {
      const first = (await requestText(context, { target: context.path('/x?y=1') })).split('\n', 1)[0]
      checkSame('the first line', first, `GET ${context.path('/x?y=1')} HTTP/1.1`)
    },
  },
  {
    id: 'R3.2',
    title: 'writes fields as name:value, each line ended by one newline',
    section: '3.2',
    versions: BOTH,
    run: async (context) => {
      const text = await requestText(context, { fields: [['X-A', 'one two']] })
      check(!text.includes('\r'), 'no carriage return', shown(text))
      const lines = text
        .replace(context.version === '1.0' ? /\n\n$/ : /\n$/, '')
        .split('\n')
        .slice(1)
      for (const line of lines) {
        const colon = line.indexOf(':')
        check(colon > 0 && TOKEN.test(line.slice(0, colon)), 'name:value', shown(line))
        check(!/^[ \t]|[ \t]$/.test(line.slice(colon + 1)), 'no space around the value', shown(line))
      }
    },
  },
  {
    id: 'R3.3',
    title: 'passes path and query on as the client sent them',
    section: '3.1',
    versions: BOTH,
    run: async (context) => {
      const target = context.path(ODD_TARGET)
      const first = (await requestText(context, { target })).split('\n', 1)[0]
      checkSame('the first line', first, `GET ${target} HTTP/1.1`)
    },
  },
  {
    id: 'R3.4',
    title: 'keeps fields, their order and their duplicates, both ways',
    section: '3.2',
    versions: BOTH,
    run: async (context) => {
      const fields = [
        ['X-B', '1'],
        ['X-A', '2'],
        ['X-B', '3'],
      ] as const
      const { client, exchange } = await context.start({ fields })
      const seen = exchange.request.fields.filter(([name]) => /^x-[ab]$/i.test(name)).map(([, value]) => value)
      checkSame('the values that arrive, in order', seen.join(), '1,2,3')
      exchange.respond('200 OK', ['x-b:1', 'x-a:2', 'x-b:3', 'set-cookie:a=1', 'set-cookie:b=2', 'content-length:0'])
      const response = await context.expectStatus(client, 200)
      checkSame('x-b', valuesOf(response, 'x-b').join(), '1,3')
      checkSame('set-cookie', valuesOf(response, 'set-cookie').join('|'), 'a=1|b=2')
    },
  },
  {
    id: 'R3.5',
    title: 'carries 8-bit octets in values, both ways, as code points of the same number',
    section: '3.2',
    versions: BOTH,
    run: async (context) => {
      const { client, exchange } = await context.start({ fields: [['X-A', 'caf\xe9']] })
      checkSame('the value that arrives', fieldsOf(exchange.request, 'x-a').join(), 'caf\xe9')
      exchange.respond('200 OK', ['x-b:caf\xe9', 'content-length:0'])
      const response = await context.expectStatus(client, 200)
      checkSame("the client's value", valuesOf(response, 'x-b').join(), 'caf\xe9')
    },
  },
  ...ODDITIES.map(({ id, title, head }): Case<RouterContext> => ({
    id,
    title,
    section: '3.3',
    versions: BOTH,
    run: async (context) => {
      const response = await context.answered(head)
      checkSame('the status', response.status, 200)
      checkSame('x-a', valuesOf(response, 'x-a').join(), '1')
      checkSame('the body', response.body.toString('latin1'), 'hello')
    },
  })),
  {
    id: 'R3.14',
    title: 'answers 502 for a status that is not three digits',
    section: '3.3',
    versions: BOTH,
    run: async (context) => {
      const { client, exchange } = await context.start()
      exchange.head('HTTP/1.1 20 OK\ncontent-length:0\n')
      await context.expectStatus(client, 502)
    },
  },
  {
    id: 'R3.15',
    title: 'never lets a value with a control become another line towards the client',
    section: '3.3',
    versions: BOTH,
    run: async (context) => {
      const { client, exchange } = await context.start()
      exchange.head('HTTP/1.1 200 OK\nx-a:1\rx-smuggled:yes\ncontent-length:0\n')
      exchange.end()
      const response = await client.response().catch(() => undefined)
      response?.message.resume()
      const smuggled = response === undefined ? [] : valuesOf(response, 'x-smuggled')
      checkSame('the values of x-smuggled', smuggled.length, 0)
    },
  },
]
