import { readFileSync } from 'node:fs'

/** docs/protocol.md, taken apart: its examples are what people test their implementations with. */
const page = readFileSync(new URL('../../../docs/protocol.md', import.meta.url), 'utf8')
const lines = page.split('\n')

export interface Heading {
  readonly number: string
  readonly title: string
  readonly anchor: string
}

/** Numbered headings, in order. */
export const headings: readonly Heading[] = lines.flatMap((line) => {
  const match = /^#{2,4} (\d+(?:\.\d+)*)\.? (.+)$/.exec(line)
  return match === null ? [] : [{ number: match[1] as string, title: match[2] as string, anchor: anchorOf(line) }]
})

/** Sub-sections that the table of contents lists, in order. */
export function listedSections(): string[] {
  const contents = page.slice(0, page.indexOf('\n## '))
  const listed: string[] = []
  for (const [, section, subsection] of contents.matchAll(/^(\d+)\. \[|\b(\d+\.\d+)\s+(?=[A-Za-z`])/gm)) {
    listed.push((section ?? subsection) as string)
  }
  return listed
}

/** `(#anchor)` of all links within the page. */
export function anchorsLinkedTo(): string[] {
  return [...page.matchAll(/\]\(#([^)]+)\)/g)].map((match) => match[1] as string)
}

/** Section numbers that the text refers to. */
export function sectionsReferredTo(): string[] {
  const withoutRfcs = page.replace(/RFC \d+ §[\d.]+(?:, §[\d.]+)*/g, '')
  const references = /\bsections? (\d+(?:\.\d+)*)(?: and (\d+(?:\.\d+)*))?/gi
  const found: string[] = []
  for (const [, first, second] of withoutRfcs.matchAll(references)) {
    if (first !== undefined) found.push(first)
    if (second !== undefined) found.push(second)
  }
  return found
}

/** The lines of all fenced blocks of this language, a list per block. */
export function blocks(language: string): string[][] {
  const found: string[][] = []
  for (let i = 0; i < lines.length; i++) {
    if (lines[i] !== `\`\`\`${language}`) continue
    const end = lines.indexOf('```', i)
    found.push(lines.slice(i + 1, end))
  }
  return found
}

/** The cells of the table whose first header cells are these; a list per row. */
export function table(...header: readonly string[]): string[][] {
  const start = lines.findIndex((line) => line.startsWith(`| ${header.join(' | ')} |`))
  if (start === -1) throw new Error(`no table ${header.join(', ')}`)
  const rows: string[][] = []
  for (let i = start + 2; lines[i]?.startsWith('|') === true; i++) {
    const cells = (lines[i] as string).split(/(?<!\\)\|/).slice(1, -1)
    rows.push(cells.map((cell) => cell.trim().replaceAll('\\|', '|')))
  }
  return rows
}

export interface Example {
  readonly from: 'router' | 'connector'
  /** What stands between the arrow and `#`. */
  readonly content: string
  /** What stands behind `#`. */
  readonly meaning: string
}

/** A line `→ content   # meaning`; the meaning may be missing. */
export function example(line: string): Example {
  const match = /^([→←]) (.*?)(?:\s+# (.*))?$/.exec(line)
  if (match === null) throw new Error(`no example: ${line}`)
  return { from: match[1] === '→' ? 'router' : 'connector', content: match[2] as string, meaning: match[3] ?? '' }
}

/** Hexadecimal digits are bytes, text in quotes stands for its UTF-8 bytes, `⏎` for one byte 0A. */
export function bytesOf(content: string): Buffer {
  const pieces: Buffer[] = []
  for (const [word] of content.matchAll(/"[^"]*"|\S+/g)) {
    if (word.startsWith('"')) pieces.push(Buffer.from(textOf(word)))
    else if (/^(?:[0-9a-f]{2})+$/.test(word)) pieces.push(Buffer.from(word, 'hex'))
    else throw new Error(`neither bytes nor text: ${word}`)
  }
  return Buffer.concat(pieces)
}

/** What stands between quotes. */
export function textOf(quoted: string): string {
  return quoted.slice(1, -1).replaceAll('⏎', '\n')
}

/** As forges make anchors of headings. */
function anchorOf(line: string): string {
  return line
    .replace(/^#+ /, '')
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')
}
