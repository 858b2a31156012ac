/** The truth by other means: find says which files there are, sha256sum and wc what is in them. */
import { spawnSync } from 'node:child_process'
import { lstatSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const LEFT_OUT = new Set(['.git', 'node_modules'])
const BATCH = 500 // files in one call of a program
const MOST_BYTES = 1 << 28 // of what a program prints
const env = { ...process.env, LC_ALL: 'C' }

/** The regular files below a folder, as texts of latin1: a character a byte. A folder that cannot be read has none. */
export function filesIn(folder, below = '') {
  let entries
  try {
    entries = readdirSync(bytesOf(folder, below), { withFileTypes: true, encoding: 'latin1' })
  } catch (error) {
    if (below === '') throw error
    return []
  }
  return entries.flatMap(entry => {
    if (LEFT_OUT.has(entry.name)) return []
    const path = below === '' ? entry.name : `${below}/${entry.name}`
    return entry.isDirectory() ? filesIn(folder, path) : entry.isFile() ? [path] : []
  })
}

const bytesOf = (folder, path) => Buffer.concat([Buffer.from(`${folder}/`), Buffer.from(path, 'latin1')])
export const shown = path => JSON.stringify(Buffer.from(path, 'latin1').toString())

/** Does this machine's wc count a word that has no printable character in it? */
export const isWordAnyByte = () => spawnSync('wc', ['-w'], { input: '\u0001', env }).stdout?.toString().trim() === '1'

/**
 * Compares what was counted with the truth.
 * @param counted `{ path, bytes, lines, words, sha256, mtimeMs }` or `{ path, error }` of each file
 * @param since   when the counting began: what is younger is not held against it
 */
export function check(folder, counted, since) {
  const wrong = []
  const notes = []
  try {
    const skip = [...LEFT_OUT].flatMap(name => ['-name', name, '-prune', '-o'])
    const found = spawnSync('find', ['.', ...skip, '-type', 'f', '-print0'], {
      cwd: folder,
      encoding: 'latin1',
      env,
      maxBuffer: MOST_BYTES,
    })
    if (found.error) throw found.error
    const paths = new Set(
      found.stdout
        .split('\0')
        .filter(Boolean)
        .map(path => path.slice(2)),
    )
    for (const { path } of counted) paths.delete(path)
    for (const path of paths) if (!isYounger(path)) wrong.push(`${shown(path)} was not counted`)
    if (paths.size > 0) notes.push(`${paths.size} files appeared meanwhile`)
    compare()
  } catch (error) {
    if (error.code !== 'ENOENT') throw error
    return { wrong, notes: [...notes, `Not checked: this machine has no ${error.path}.`], isChecked: false }
  }
  return { wrong, notes, isChecked: true }

  function isYounger(path, than = since) {
    try {
      const { ctimeMs, mtimeMs } = lstatSync(bytesOf(folder, path))
      return ctimeMs > than || mtimeMs > than
    } catch {
      return true // gone
    }
  }

  /** Numbered links stand for the files: no name, however odd, is in what the programs print. */
  function compare() {
    const links = mkdtempSync(join(tmpdir(), 'greenroom-truth-'))
    let changed = 0
    try {
      for (let first = 0; first < counted.length; first += BATCH) {
        const batch = counted.slice(first, first + BATCH)
        const names = batch.map(({ path }, i) => {
          symlinkSync(bytesOf(folder, path), join(links, `${first + i}`))
          return `${first + i}`
        })
        const sums = print('sha256sum', names, /^(\w{64}) [ *](\d+)$/gm, links)
        const counts = print('wc', ['-lwc', ...names], /^ *(\d+) +(\d+) +(\d+) (\d+)$/gm, links)
        const sumOf = new Map(sums.map(([, sum, name]) => [name, sum]))
        const countOf = new Map(
          counts.map(([, lines, words, bytes, name]) => [name, `${lines} lines, ${words} words, ${bytes} bytes`]),
        )
        for (const [i, { path, lines, words, bytes, sha256, error }] of batch.entries()) {
          const ours = error ? undefined : `${lines} lines, ${words} words, ${bytes} bytes`
          if (sumOf.get(names[i]) === sha256 && countOf.get(names[i]) === ours) continue
          if (isYounger(path)) changed++
          else
            wrong.push(
              `${shown(path)}: counted ${ours ?? error} ${sha256 ?? ''}, is ${countOf.get(names[i]) ?? 'unreadable'} ${sumOf.get(names[i]) ?? ''}`,
            )
        }
      }
    } finally {
      rmSync(links, { recursive: true, force: true })
    }
    if (changed > 0) notes.push(`${changed} files changed or went while they were counted`)
  }
}

/** The lines that a program prints for the files that it can read; of the others it complains, and goes on. */
function print(program, args, line, cwd) {
  const { stdout, error } = spawnSync(program, args, { cwd, encoding: 'latin1', env, maxBuffer: MOST_BYTES })
  if (error) throw error
  return [...stdout.matchAll(line)]
}
