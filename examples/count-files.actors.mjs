/** The actor of the example: what `greenroom worker` loads. Each run appends a line when it begins and one when it has counted. */
import { createHash } from 'node:crypto'
import { openSync, writeSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { setTimeout } from 'node:timers/promises'
import { actor, current } from 'greenroom'

const { COUNT_FOLDER: folder, COUNT_QUEUE: queue, COUNT_RESULTS: results, COUNT_ANY_BYTE: anyByte } = process.env
const CHUNK_BYTES = 65_536
const WAIT_MS = 60_000 // longer than anybody needs to kill this process

/** Opened to append: one write a line, so that the lines of two processes never mix. */
const file = openSync(results, 'a')
const note = fact => writeSync(file, `${JSON.stringify({ pid: process.pid, ...fact })}\n`)

/** A path is a text of latin1, a character a byte: file names are bytes, and need not be UTF-8. */
export const count = actor(
  async (path, isMiddle) => {
    const waits = isMiddle && current().deliveries === 1
    note({ path, started: true, waits })
    if (waits) await setTimeout(WAIT_MS, undefined, { signal: current().signal })
    try {
      note({ path, ...(await measure(Buffer.from(`${Buffer.from(folder).toString('latin1')}/${path}`, 'latin1'))) })
    } catch (error) {
      if (error.syscall === undefined) throw error
      note({ path, error: error.code }) // unreadable, or gone: a fact about the file, no reason to try again
    }
  },
  { name: 'count', queue },
)

const isSpace = byte => byte === 32 || (byte > 8 && byte < 14)
/** What begins a word: wc of some systems wants a printable character, of others any that is no space. */
const isInk = byte => (anyByte ? !isSpace(byte) : byte > 32 && byte < 127)

async function measure(path) {
  const handle = await open(path)
  try {
    const { mtimeMs } = await handle.stat()
    const hash = createHash('sha256')
    const buffer = Buffer.alloc(CHUNK_BYTES)
    let [bytes, lines, words] = [0, 0, 0]
    let inWord = false
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, CHUNK_BYTES)
      if (bytesRead === 0) return { bytes, lines, words, sha256: hash.digest('hex'), mtimeMs }
      const chunk = buffer.subarray(0, bytesRead)
      hash.update(chunk)
      bytes += bytesRead
      for (const byte of chunk) {
        if (byte === 10) lines++
        if (isSpace(byte)) inWord = false
        else if (!inWord && isInk(byte)) [inWord, words] = [true, words + 1]
      }
    }
  } finally {
    await handle.close()
  }
}
