import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { connectorCases } from '../../../check/connector/cases.js'
import { routerCases } from '../../../check/router/cases.js'
import { checkConnectorFlags } from '../../../cli/check-command.js'
import { checkRouterFlags } from '../../../cli/check-router-command.js'
import { connectorFlags } from '../../../cli/connector-flags.js'
import type { Flag } from '../../../cli/flags.js'
import { routerFlags } from '../../../cli/router-flags.js'

const page = (path: string): string => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8')

const PAGES = readdirSync(new URL('../../../docs/', import.meta.url)).map((name) => `docs/${name}`)

describe('the pages', () => {
  it.each<readonly [string, Readonly<Record<string, Flag>>]>([
    ['docs/router.md', routerFlags],
    ['docs/connector.md', connectorFlags],
    ['docs/check.md', checkRouterFlags],
    ['docs/check.md', checkConnectorFlags],
  ])('%s tells every flag in the words of --help (npm run docs)', (path, flags) => {
    const text = page(path)
    for (const [name, flag] of Object.entries(flags)) {
      expect(text).toContain(`| \`--${name}\` |`)
      expect(text).toContain(`${flag.describe.replaceAll('|', '\\|')} |`)
      if ('default' in flag) expect(text).toContain(`| ${flag.default} |`)
    }
  })

  it('docs/router.md has every error code', () => {
    const codes = [...page('protocol/errors.ts').matchAll(/\| '(CRANKER_ERR_\w+)'/g)].map(([, code]) => code)
    expect(codes.length).toBeGreaterThan(20)
    for (const code of codes) expect(page('docs/router.md')).toContain(`\`${String(code)}\``)
  })

  it('docs/check.md has every case (npm run docs)', () => {
    const text = page('docs/check.md')
    for (const { id, title, section } of [...connectorCases, ...routerCases]) {
      expect(text).toMatch(
        new RegExp(`^\\| ${id.replace('.', '\\.')} \\| .* \\| ${section.replace('.', '\\.')} \\|`, 'm'),
      )
      expect(text).toContain(`| ${title.replaceAll('|', '\\|')}`)
    }
  })

  it.each(['README.md', 'CONTRIBUTING.md', ...PAGES])('%s links to files that exist', (path) => {
    const links = [...page(path).matchAll(/\]\(([^)#\s]+)\)/g)].map(([, link]) => String(link))
    const folder = path.includes('/') ? path.slice(0, path.lastIndexOf('/') + 1) : ''
    for (const link of links.filter((target) => !target.includes('://') && target !== 'docs/performance.md')) {
      expect(() => readFileSync(new URL(`../../../${folder}${link}`, import.meta.url))).not.toThrow(/ENOENT/)
    }
  })

  it('the README has the commands that exist', () => {
    const flags = [...page('README.md').matchAll(/(?<=\s)--([a-z][a-z-]*)/g)].map(([, flag]) => String(flag))
    const known = new Set<string>([...Object.keys(routerFlags), ...Object.keys(connectorFlags)])
    expect(flags.filter((flag) => !known.has(flag))).toEqual([])
  })
})
