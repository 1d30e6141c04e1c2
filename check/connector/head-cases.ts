/** docs/protocol.md, section 3: heads, over both versions. */
import { check, checkSame, shown, type Case } from '../case.js'
import type { ConnectorContext } from './context.js'
import { expectResponse, finish, type ResponseHead, valuesOf } from './exchange.js'

const BOTH = ['3.0', '1.0'] as const
/** RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
/** A response with three fields and a short body. */
function plainResponse(context: ConnectorContext): Promise<ResponseHead> {
  return context.get(['content-type', 'text/plain', 'x-one', '1', 'content-length', '2'], 'ok')
}

/** Sends a head as given; the request must reach the service and be answered. */
async function reads(context: ConnectorContext, head: string): Promise<Readonly<Record<string, string | undefined>>> {
  const exchange = context.exchange(await context.tunnel())
  exchange.sendHead(head, false)
  const call = await context.call()
  const seen = { a: call.values('x-a').join('|'), b: call.values('x-b').join('|'), target: call.target }
  await finish(exchange, call)
  return seen
}

export const headCases: readonly Case<ConnectorContext>[] = [
  {
    id: 'C3.1',
    title: 'begins a response head with HTTP/1.1 and three digits',
    section: '3.1',
    versions: BOTH,
    run: async (context) => {
      const { text } = await plainResponse(context)
      const first = text.split('\n', 1)[0] ?? ''
      check(/^HTTP\/1\.1 200(?: [^\r\n]*)?\r?$/.test(first), 'HTTP/1.1 200 and a reason phrase', shown(first))
    },
  },
  {
    id: 'C3.2',
    title: 'ends every line of a head with one newline, the last one too',
    section: '3.2',
    versions: BOTH,
    run: async (context) => {
      const { text } = await plainResponse(context)
      check(!text.includes('\r'), 'no carriage return', shown(text))
      check(text.endsWith('\n') && !text.endsWith('\n\n'), 'exactly one newline at the end', shown(text))
    },
  },
  {
    id: 'C3.3',
    title: 'writes fields as name:value without a space, and nothing else',
    section: '3.2',
    versions: BOTH,
    run: async (context) => {
      const { text } = await plainResponse(context)
      for (const line of text.split(/\r?\n/).slice(1)) {
        if (line === '') continue
        const colon = line.indexOf(':')
        check(colon > 0 && TOKEN.test(line.slice(0, colon)), 'only lines of the form name:value', shown(line))
        check(!/^[ \t]/.test(line.slice(colon + 1)), 'no space behind the colon', shown(line))
      }
    },
  },
  {
    id: 'C3.4',
    title: 'keeps the order and the duplicates of response fields',
    section: '3.2',
    versions: BOTH,
    run: async (context) => {
      const cookies = ['a=1; Path=/', 'b=2; Path=/', 'c=3; Path=/']
      const fields = cookies.flatMap((cookie) => ['set-cookie', cookie])
      const head = await context.get([...fields, 'content-length', '2'], 'ok')
      checkSame('three set-cookie fields', valuesOf(head, 'set-cookie').join(' | '), cookies.join(' | '))
    },
  },
  {
    id: 'C3.5',
    title: 'carries 8-bit octets of response fields as code points of the same number',
    section: '3.2',
    versions: BOTH,
    run: async (context) => {
      const head = await context.get(['x-octets', 'caf\u00e9 \u00ff', 'content-length', '2'], 'ok')
      checkSame('x-octets, whose octets E9 and FF are sent as UTF-8', valuesOf(head, 'x-octets')[0], 'caf\u00e9 \u00ff')
    },
  },
  {
    id: 'C3.6',
    title: 'gives 8-bit values of request fields to the service as octets',
    section: '3.2',
    versions: BOTH,
    run: async (context) => {
      const seen = await reads(context, `GET ${context.path} HTTP/1.1\nhost:service.example\nx-a:caf\u00e9\n`)
      checkSame('x-a at the service, read as ISO 8859-1', seen['a'], 'caf\u00e9')
    },
  },
  {
    id: 'C3.7',
    title: 'gives the path to the service whole, its route included',
    section: '3.1',
    versions: BOTH,
    run: async (context) => {
      const seen = await reads(context, `GET ${context.path}/x?y=1 HTTP/1.1\nhost:service.example\n`)
      checkSame('the target at the service', seen['target'], `${context.path}/x?y=1`)
    },
  },
  {
    id: 'C3.8',
    title: 'keeps repeated request fields in their order',
    section: '3.2',
    versions: BOTH,
    run: async (context) => {
      const seen = await reads(context, `GET ${context.path} HTTP/1.1\nhost:service.example\nx-a:1\nx-b:x\nx-a:2\n`)
      const joined = seen['a']?.replace(/, ?/g, '|')
      checkSame('x-a at the service', joined, '1|2')
    },
  },
  {
    id: 'C3.9',
    title: 'accepts CRLF and spaces around names and values',
    section: '3.3',
    versions: BOTH,
    run: async (context) => {
      const seen = await reads(
        context,
        `GET ${context.path} HTTP/1.1\r\nhost: service.example\r\nx-a: 1 \r\nX-B:\t2\r\n`,
      )
      checkSame('x-a and x-b at the service', `${String(seen['a'])} ${String(seen['b'])}`, '1 2')
    },
  },
  {
    id: 'C3.10',
    title: 'skips lines whose name is not a token',
    section: '3.3',
    versions: BOTH,
    run: async (context) => {
      const odd = 'x-a:1\nno colon here\nbad name:2\n:no name\nx-b:3\n'
      const seen = await reads(context, `GET ${context.path} HTTP/1.1\nhost:service.example\n${odd}`)
      checkSame('x-a and x-b at the service', `${String(seen['a'])} ${String(seen['b'])}`, '1 3')
    },
  },
  {
    id: 'C3.11',
    title: 'accepts a missing newline at the end of a head, and an additional one',
    section: '3.3',
    versions: ['3.0'],
    run: async (context) => {
      for (const end of ['', '\n\n']) {
        const seen = await reads(context, `GET ${context.path} HTTP/1.1\nhost:service.example\nx-a:1${end}`)
        checkSame(`x-a at the service, from a head that ends in ${shown(end)}`, seen['a'], '1')
      }
    },
  },
  {
    id: 'C3.12',
    title: 'passes unusual methods and statuses on',
    section: '3.1',
    level: 'should',
    versions: BOTH,
    run: async (context) => {
      const { exchange, call } = await context.start({ method: 'PROPFIND' })
      checkSame('the method at the service', call.method, 'PROPFIND')
      call.answer(418, ['content-length', '6'], 'teapot')
      await expectResponse(exchange, 418, 'teapot')
    },
  },
]
