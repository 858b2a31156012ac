/** A command as it travels, in one piece: the driver makes a buffer of each word, and joins them. */
import type { Argument } from './link.ts'

/** Larger bytes are not copied once more. */
const MOST_BYTES = 65_536

/** Undefined where the driver is no slower: texts alone, or large bytes. */
export function packed(name: string, words: readonly Argument[]): Buffer | undefined {
  let size = 0
  for (const word of words) if (typeof word === 'object') size += word.length
  if (size === 0 || size > MOST_BYTES) return undefined
  const parts: (string | Uint8Array)[] = []
  let text = `*${words.length + 1}\r\n$${name.length}\r\n${name}\r\n`
  const addText = () => {
    size += Buffer.byteLength(text)
    parts.push(text)
  }
  for (const word of words) {
    if (typeof word === 'object') {
      text += `$${word.length}\r\n`
      addText()
      parts.push(word)
      text = '\r\n'
    } else {
      const written = typeof word === 'string' ? word : `${word}`
      text += `$${Buffer.byteLength(written)}\r\n${written}\r\n`
    }
  }
  addText()
  const bytes = Buffer.allocUnsafe(size)
  let at = 0
  for (const part of parts) {
    if (typeof part === 'string') at += bytes.write(part, at)
    else {
      bytes.set(part, at)
      at += part.length
    }
  }
  return bytes
}
