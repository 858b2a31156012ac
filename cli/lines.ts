/**
 * The lines of a child's output, each whole: two children write into one log, and no line of one may land inside another's.
 * A line that never ends is passed on in pieces, so that what is kept is bounded; what has no end when the stream closes is one too.
 */
import type { Readable } from 'node:stream'

export const LONGEST_LINE = 65_536

export function eachLine(stream: Readable, each: (line: string) => void): void {
  let rest = ''
  const pass = (line: string) => {
    for (let at = 0; at === 0 || at < line.length; at += LONGEST_LINE) each(line.slice(at, at + LONGEST_LINE))
  }
  stream.setEncoding('utf8').on('data', (text: string) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop()!
    for (const line of lines) pass(line)
    if (rest.length < LONGEST_LINE) return
    pass(rest)
    rest = ''
  })
  // Not 'end': a stream that is destroyed, as its writer's own children hold it open, has none.
  stream.on('close', () => {
    if (rest !== '') pass(rest)
  })
}
