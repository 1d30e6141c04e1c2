import { join } from 'node:path'
import { run } from './command.js'
import { Installation } from './installation.js'
import type { CommandLine } from './program.js'

const SOURCES = ['Lifetime.java', 'InteropRouter.java', 'InteropConnector.java']
/** What both libraries are compiled for. */
const LEAST_JAVA = 11

/** The Java router and the Java connector with all that they need. */
export const java = new Installation({
  name: 'java',
  programs: 'java',
  inputs: ['pom.xml', ...SOURCES],

  async toolchain() {
    const javac = await run('javac', ['-version'])
    const version = /javac (\d+)/.exec(javac.output)?.[1]
    if (!javac.ok || version === undefined || Number(version) < LEAST_JAVA) {
      return { missing: `no JDK ${LEAST_JAVA} or later found (javac)` }
    }
    if (!(await run('mvn', ['-v'])).ok) return { missing: 'no Maven found (mvn)' }
    return { found: `javac ${version}` }
  },

  async *install(folder, programs) {
    const libraries = join(folder, 'lib')
    const pom = join(programs, 'pom.xml')
    yield await run('mvn', ['-q', '-B', '-f', pom, 'dependency:copy-dependencies', `-DoutputDirectory=${libraries}`])
    const sources = SOURCES.map((source) => join(programs, source))
    const options = ['--release', String(LEAST_JAVA), '-cp', join(libraries, '*'), '-d', join(folder, 'classes')]
    yield await run('javac', [...options, ...sources])
  },
})

/** Starts one of the two programs. The options make a short life cheap: little compiling, one collector thread. */
export function javaCommand(main: 'InteropRouter' | 'InteropConnector'): CommandLine {
  const classPath = [join(java.folder, 'classes'), join(java.folder, 'lib', '*')].join(':')
  return ['java', '-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xmx512m', '-cp', classPath, main]
}
