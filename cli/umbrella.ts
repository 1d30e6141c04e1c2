/** `cranker`: one command for all. */

import { checkCommand } from './check-command.js'
import { connectorCommand } from './connector-command.js'
import { decodeCommand } from './decode-command.js'
import { demoCommand } from './demo-command.js'
import { routerCommand } from './router-command.js'
import { version, type Running } from './run.js'
import { UsageError } from './values.js'

const HELP = `Publishes services from inside a firewall, without opening an inbound port.

Usage: cranker <command> [flags]

  cranker router      runs in the DMZ: accepts requests, passes them to connectors
  cranker connector   runs beside a service: opens connections to routers from inside
  cranker demo        both and a small service in one process, to try it out
  cranker check       tests a router or connector, in whatever language, against the protocol
  cranker decode      makes captured messages of a tunnel readable

Each has its own --help. Other flags: --help, --version.`

const COMMANDS: readonly string[] = ['router', 'connector', 'demo', 'check', 'decode']

/** What the user called it, for messages: `cranker router`. */
export function umbrellaName(word: string | undefined): string {
  return word !== undefined && COMMANDS.includes(word) ? `cranker ${word}` : 'cranker'
}

export async function umbrella(argv: readonly string[], env: NodeJS.ProcessEnv): Promise<Running | undefined> {
  const [word, ...rest] = argv
  switch (word) {
    case 'router':
      return routerCommand('cranker router', rest, env)
    case 'connector':
      return connectorCommand('cranker connector', rest, env)
    case 'demo':
      return demoCommand('cranker demo', rest, env)
    case 'check':
      return checkCommand('cranker check', rest, env)
    case 'decode':
      return decodeCommand('cranker decode', rest, env)
    case '--version':
      process.stdout.write(`${version()}\n`)
      return undefined
    case 'help':
    case '--help':
    case '-h':
      process.stdout.write(`${HELP}\n`)
      return undefined
    case undefined:
      throw new UsageError('say which command, such as cranker router')
    default:
      throw new UsageError(`there is no command "${word}"`)
  }
}
