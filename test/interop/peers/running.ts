import type { ConnectorStart, RouterStart, RunningConnector, RunningRouter } from '../peer.js'
import { type CommandLine, Program } from './program.js'

/** Starts a program that prints the ports it listens on. */
export async function startRouterProgram(
  name: string,
  line: CommandLine,
  options: RouterStart,
): Promise<RunningRouter> {
  const { program, ready } = await Program.start(name, line, { ...options })
  return {
    publicPort: Number(ready['publicPort']),
    registrationPort: Number(ready['registrationPort']),
    stop: () => program.stop(),
    output: () => program.output,
  }
}

/** Starts a program that registers one route; it is ready before it is registered. */
export async function startConnectorProgram(
  name: string,
  line: CommandLine,
  options: ConnectorStart,
): Promise<RunningConnector> {
  const { routers, protocols, ...rest } = options
  const { program } = await Program.start(name, line, {
    ...rest,
    routers: routers.join(','),
    protocols: protocols.join(','),
  })
  return { stop: () => program.stop(), output: () => program.output }
}
