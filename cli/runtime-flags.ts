import { setFlagsFromString } from 'node:v8'

/**
 * How V8 collects garbage in the commands. A proxy makes many small objects that die at once, and read buffers that
 * count as external memory: V8 lets its young generation grow past the processor's cache, and wakes a thread per core
 * to scavenge it. A small young generation, collected by the thread that filled it, took a third of the CPU off a
 * download and keeps dead buffers few (docs/performance.md). Embedders keep their own settings.
 */
export const RUNTIME_FLAGS: readonly string[] = ['--single-threaded-gc', '--max-semi-space-size=2']

/**
 * V8 allocates in the old generation what has often survived the young one's collections. Requests under way do, and
 * are garbage a moment later: from there they keep everything that they refer to alive until the next full collection.
 * It costs the router a third of its CPU, in some processes and not in others, as the profile happens to fall out.
 */
const PRETENURING_FLAG = '--no-allocation-site-pretenuring'

/**
 * In Node 24 the young generation is not collected while the old one is being marked: for a fifth of a second nothing that
 * passes is freed, which was 50 MiB of a fast download. In Node 20 it is.
 */
const SEPARATE_PHASES_FLAG = '--no-separate-gc-phases'

/** Unlike those above, these can be set at any time, on every version of Node; of one that is gone V8 would complain on stderr. */
export const LATE_FLAGS: readonly string[] = [PRETENURING_FLAG, SEPARATE_PHASES_FLAG]

/** Since Node 23.11, POSIX only. */
type Execve = (file: string, args: readonly string[], env: NodeJS.ProcessEnv) => never

/** Call it first in a command's process. */
export function tuneGarbageCollection(): void {
  for (const flag of LATE_FLAGS) setFlagsFromString(flag)
  restartWithRuntimeFlags()
}

/**
 * Starts this process anew with these flags, as the same process: V8 takes them only at its start. Does nothing where
 * Node cannot do that, or when the young generation was already chosen on the command line.
 */
function restartWithRuntimeFlags(): void {
  const { execve } = process as typeof process & { readonly execve?: Execve }
  if (execve === undefined || process.platform === 'win32') return
  if (process.execArgv.some((flag) => flag.includes('semi-space-size') || flag.includes('inspect'))) return
  // The replaced process would print that execve is experimental; nothing depends on it.
  process.removeAllListeners('warning')
  execve.call(
    process,
    process.execPath,
    [process.execPath, ...process.execArgv, ...RUNTIME_FLAGS, ...process.argv.slice(1)],
    process.env,
  )
}
