/**
 * Adds up vitest's JSON reports and ends a CI run: which tests failed and why, which passed only when tried again, and
 * last of all `N passed, N failed` (`, N skipped`). A suite that could not even be loaded counts as one failure. Exits 1
 * when anything failed, or nothing ran.
 */
import { existsSync, readFileSync } from 'node:fs'
import { relative } from 'node:path'

/** Of a failure's message; the whole of it is further up, where the test ran. */
const MAX_LINES = 15

const total = { passed: 0, failed: 0, skipped: 0 }
const lists = { failed: [], 'passed only when tried again': [] }

function note(list, suite, name, message) {
  const lines = message.trimEnd().split('\n')
  const shown = lines.slice(0, MAX_LINES).concat(lines.length > MAX_LINES ? ['…'] : [])
  lists[list].push([`${relative(process.cwd(), suite.name)}: ${name}`, ...shown].join('\n    '))
}

function addSuite(suite) {
  for (const { status, fullName, failureMessages } of suite.assertionResults) {
    const message = failureMessages.join('\n')
    if (status === 'passed') total.passed += 1
    else if (status === 'failed') total.failed += 1
    else total.skipped += 1
    if (status === 'failed') note('failed', suite, fullName, message)
    else if (status === 'passed' && message !== '') note('passed only when tried again', suite, fullName, message)
  }
  if (suite.status === 'failed' && !suite.assertionResults.some(({ status }) => status === 'failed')) {
    total.failed += 1
    note('failed', suite, 'could not be loaded', suite.message ?? '')
  }
}

for (const file of process.argv.slice(2).filter((path) => existsSync(path))) {
  JSON.parse(readFileSync(file, 'utf8')).testResults.forEach(addSuite)
}
for (const [heading, entries] of Object.entries(lists).filter(([, entries]) => entries.length > 0)) {
  process.stdout.write(`${heading}:\n${entries.map((entry) => `  ${entry}\n`).join('')}\n`)
}
const skipped = total.skipped > 0 ? `, ${total.skipped} skipped` : ''
process.stdout.write(`${total.passed} passed, ${total.failed} failed${skipped}\n`)
if (total.failed > 0 || total.passed === 0) process.exit(1)
