import type { ConnectorStart, RunningConnector } from '../peer.js'
import { type CommandLine, Program } from './program.js'

/** Says that it has started, passes SIGTERM on, and sends it too when stdin ends. */
const WRAPPER = [
  'exec 3<&0',
  '"$@" & child=$!',
  'trap "kill $child" TERM',
  '(cat <&3; kill $child) >/dev/null 2>&1 &',
  `echo '{"started":true}'`,
  'wait $child',
  'wait $child',
].join('\n')

/** Starts one of the connectors in `examples/`, which know nothing of this suite. */
export async function startExample(
  name: string,
  line: CommandLine,
  { routers, route, target, protocols }: ConnectorStart,
): Promise<RunningConnector> {
  const flags = ['--route', route, '--target', target, '--protocol', protocols.join(',')]
  const all = [...line, '--router', routers.join(','), ...flags]
  const { program } = await Program.start(name, ['sh', '-c', WRAPPER, 'sh', ...all], {})
  return { stop: () => program.stop(), output: () => program.output }
}
