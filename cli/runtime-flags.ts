/**
 * How V8 collects garbage in the commands. A proxy makes many small objects that die at once, and read buffers that
 * count as external memory: V8 lets its young generation grow past the processor's cache, and wakes a thread per core
 * to scavenge it. A small young generation, collected by the thread that filled it, took a third of the CPU off a
 * download and keeps dead buffers few (docs/performance.md). Embedders keep their own settings.
 */
export const RUNTIME_FLAGS: readonly string[] = ['--single-threaded-gc', '--max-semi-space-size=2']

/** Since Node 23.11, POSIX only. */
type Execve = (file: string, args: readonly string[], env: NodeJS.ProcessEnv) => never

/**
 * Starts this process anew with these flags, as the same process: V8 takes them only at its start. Does nothing where
 * Node cannot do that, or when the young generation was already chosen on the command line.
 */
export function restartWithRuntimeFlags(): void {
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
