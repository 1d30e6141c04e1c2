/** Rewrites the tables of docs/check.md: flags, cases and known peers, as they are in the code (`npm run docs`). */
import { readFileSync, writeFileSync } from 'node:fs'
import { checkConnectorFlags } from '../dist/cli/check-command.js'
import { checkRouterFlags } from '../dist/cli/check-router-command.js'
import { connectorCases } from '../dist/check/connector/cases.js'
import { knownPeers } from '../dist/check/like.js'
import { routerCases } from '../dist/check/router/cases.js'

const cell = (text) => text.replaceAll('|', '\\|')

function flagTable(flags) {
  const rows = Object.entries(flags).map(
    ([name, flag]) => `| \`--${name}\` | ${cell(flag.default ?? '')} | ${cell(flag.describe)} |`,
  )
  return ['| Flag | Default | Meaning |', '|---|---|---|', ...rows]
}

/** By number, which is not the order in which they are run. */
function caseTable(cases) {
  const numbers = ({ id }) => id.slice(1).split('.').map(Number)
  const sorted = cases.toSorted((a, b) => numbers(a)[0] - numbers(b)[0] || numbers(a)[1] - numbers(b)[1])
  const rows = sorted.map(({ id, title, section, level = 'must', versions, slow }) => {
    const over = versions === 'any' ? '' : [...versions].sort().join(', ')
    return `| ${id} | ${cell(title)}${slow ? ' (`--slow`)' : ''} | ${section} | ${level.toUpperCase()} | ${over} |`
  })
  return ['| Case | The implementation | Section | Level | Versions |', '|---|---|---|---|---|', ...rows]
}

function peerTable() {
  const rows = Object.entries(knownPeers).map(
    ([word, { title, role, deviations }]) =>
      `| \`${word}\` | ${title} | ${role} | ${String(Object.keys(deviations).length)} |`,
  )
  return ['| `--like` | Program | Is a | Known deviations |', '|---|---|---|---:|', ...rows]
}

const tables = {
  peers: peerTable(),
  'connector flags': flagTable(checkConnectorFlags),
  'router flags': flagTable(checkRouterFlags),
  'connector cases': caseTable(connectorCases),
  'router cases': caseTable(routerCases),
}

const file = new URL('../docs/check.md', import.meta.url)
let text = readFileSync(file, 'utf8')
for (const [name, lines] of Object.entries(tables)) {
  const between = new RegExp(`(<!-- ${name} -->\n)[^]*(<!-- /${name} -->)`)
  if (!between.test(text)) throw new Error(`docs/check.md has no place for ${name}`)
  text = text.replace(between, (_, before, after) => `${before}\n${lines.join('\n')}\n\n${after}`)
}
writeFileSync(file, text)
