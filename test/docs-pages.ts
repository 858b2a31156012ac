/** README.md and docs/*.md as the tests of the documentation read them: code blocks with their info strings, headings, links. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './root.ts'

export interface Block {
  /** The page, from the root of the repository. */
  readonly page: string
  /** Where its first line of code is. */
  readonly line: number
  readonly language: string
  /** The words after the language. `run`: executed; `prelude`: may use the names of docs-prelude.ts; `printed`: what the block before it prints. */
  readonly words: ReadonlySet<string>
  /** `file=NAME`: what the reader calls it. */
  readonly file: string | undefined
  readonly text: string
}

export const pages: readonly string[] = [
  'README.md',
  ...readdirSync(join(root, 'docs'))
    .filter(name => name.endsWith('.md'))
    .toSorted()
    .map(name => `docs/${name}`),
]
export const textOf = (page: string): string => readFileSync(join(root, page), 'utf8')

/** The fenced blocks of a page, in order. */
export function blocksOf(page: string, text = textOf(page)): Block[] {
  const blocks: Block[] = []
  let open: { info: string; line: number; lines: string[] } | undefined
  text.split('\n').forEach((line, i) => {
    const [, info] = /^```(.*)$/.exec(line) ?? []
    if (info === undefined) return open?.lines.push(line)
    if (!open) {
      open = { info, line: i + 2, lines: [] }
      return undefined
    }
    const [language = '', ...words] = open.info.trim().split(/\s+/)
    const file = words.find(word => word.startsWith('file='))?.slice('file='.length)
    blocks.push({ page, line: open.line, language, words: new Set(words), file, text: `${open.lines.join('\n')}\n` })
    open = undefined
    return undefined
  })
  if (open) throw new Error(`${page}:${open.line} opens a code block that is never closed`)
  return blocks
}

/** A page without its code blocks. */
const proseOf = (text: string): string => text.replace(/^```[^]*?^```$/gm, '')

/** The anchors that a page's headings have on GitHub. */
export function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>()
  for (const [, heading] of proseOf(text).matchAll(/^#+ (.+)$/gm)) {
    const plain = heading!.replace(/`/g, '').replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    const anchor = plain
      .toLowerCase()
      .replace(/[^\p{Letter}\p{Number}\s_-]/gu, '')
      .replace(/\s/g, '-')
    let unique = anchor
    for (let n = 1; anchors.has(unique); n++) unique = `${anchor}-${n}`
    anchors.add(unique)
  }
  return anchors
}

/** The targets of a page's links. */
export const linksOf = (text: string): string[] => [...proseOf(text).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!)
