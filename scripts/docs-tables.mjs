/**
 * Rewrites the tables of flags in docs/router.md and docs/connector.md from the flags themselves (`npm run docs`), so
 * that the pages, `--help` and the code say the same. What it imports does that for docs/check.md.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import './check-tables.mjs'
import { connectorFlags } from '../dist/cli/connector-flags.js'
import { routerFlags } from '../dist/cli/router-flags.js'

/** Library options that are not simply the flag in camel case. */
const OPTIONS = {
  protocol: 'protocols',
  router: 'routers',
  route: 'route, routes',
  'tls-cert': 'tls.certFile',
  'tls-key': 'tls.keyFile',
  'registration-tls-cert': 'registrationTls.certFile',
  'registration-tls-key': 'registrationTls.keyFile',
  'no-http2': 'http2: false',
  'registration-plain': 'registrationTls: false',
  'no-forward-host': 'forwardHost: false',
  'registration-header': 'registrationHeaders',
  'no-access-log': 'accessLog',
  'log-level': 'logger',
  'log-format': 'logger',
}

const camel = (flag) => flag.replace(/-([a-z])/g, (_, letter) => letter.toUpperCase())
const cell = (text) => text.replaceAll('|', '\\|')

function table(flags) {
  const groups = new Map()
  for (const entry of Object.entries(flags)) {
    const { group } = entry[1]
    groups.set(group, [...(groups.get(group) ?? []), entry])
  }
  return [...groups].flatMap(([group, entries]) => [
    `**${group.replace(/:$/, '')}**`,
    '',
    '| Flag | Option | Default | Meaning |',
    '|---|---|---|---|',
    ...entries.map(
      ([name, flag]) =>
        `| \`--${name}\` | \`${OPTIONS[name] ?? camel(name)}\` | ${cell(flag.default ?? '')} | ${cell(flag.describe)} |`,
    ),
    '',
  ])
}

function rewrite(page, flags) {
  const file = new URL(`../docs/${page}.md`, import.meta.url)
  const text = readFileSync(file, 'utf8')
  const between = /(<!-- flags -->\n)[^]*(<!-- \/flags -->)/
  if (!between.test(text)) throw new Error(`docs/${page}.md has no place for the table`)
  writeFileSync(
    file,
    text.replace(between, (_, before, after) => `${before}\n${table(flags).join('\n').trimEnd()}\n\n${after}`),
  )
}

rewrite('router', routerFlags)
rewrite('connector', connectorFlags)
