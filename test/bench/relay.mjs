/**
 * `node relay.mjs PORT TO_PORT DELAY_MS BYTES_PER_SECOND`: a long path, the same each way, in a process of its own. The
 * relay is that of the tests, which are TypeScript.
 */
import { readFileSync } from 'node:fs'
import ts from 'typescript'

const source = readFileSync(new URL('../support/relay.ts', import.meta.url), 'utf8')
const compilerOptions = { target: ts.ScriptTarget.ESNext, module: ts.ModuleKind.ESNext }
const { outputText } = ts.transpileModule(source, { compilerOptions })
const { Relay } = await import(`data:text/javascript,${encodeURIComponent(outputText)}`)

const [port, to, delayMs, bytesPerSecond] = process.argv.slice(2).map(Number)
await Relay.start({ port, to, delayMs, bytesPerSecond })
