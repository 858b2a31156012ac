/** What the example prints: a bar while it runs, a table and a verdict at the end. */
import { check } from './count-files.truth.mjs'

/** Settlements that a worker may have under way when it dies (lib/worker.ts). */
const UNFLUSHED = 512
const BAR = 30
const MOST_LINES = 20
const { isTTY } = process.stdout

/** A line of its own, also where a bar is shown. */
export const say = text => console.log(isTTY ? `\r\u001b[K${text}` : text)

let lineAt = 0 // the next quarter to be told where there is no terminal
export function progress(done, total, ms) {
  const part = done / total
  const text = `${Math.floor(part * 100)} %  ${done} of ${total} files  ${Math.round((done / ms) * 1_000)} a second`
  if (isTTY) process.stdout.write(`\r\u001b[K[${'#'.repeat(part * BAR).padEnd(BAR, '.')}] ${text}${part === 1 ? '\n' : ''}`)
  else if (part >= lineAt) {
    say(text)
    lineAt = Math.floor(part * 4 + 1) / 4
  }
}

/** Prints all, and gives the exit code: 1 when something is missing or differs. */
export function report({ folder, paths, runs, concurrency, since, seconds }) {
  const all = paths.map(path => ({ path, ...runs.get(path) }))
  const counted = all.map(({ path, found }) => ({ path, ...found[0] }))
  const { wrong, notes, isChecked } = check(folder, counted, since)
  const sum = key => counted.reduce((total, result) => total + (result[key] ?? 0), 0)
  const count = is => all.filter(is).length
  const twice = count(({ starts }) => starts > 1)
  const missing = count(({ found }) => found.length === 0)
  const differing = count(({ found }) => new Set(found.map(({ sha256 }) => sha256)).size > 1)
  const bound = concurrency + UNFLUSHED
  if (missing > 0) wrong.push(`${missing} files have no result`)
  if (twice > bound) wrong.push(`${twice} files were begun more than once, the bound is ${bound}`)
  if (differing > 0) notes.push(`${differing} files had two results, as they changed between two runs.`)

  const rows = {
    files: paths.length,
    lines: sum('lines'),
    words: sum('words'),
    bytes: sum('bytes'),
    unreadable: count(({ found }) => found[0]?.error),
    missing,
    'ran twice': `${twice} (at most ${bound})`,
    rate: `${seconds > 0 ? Math.round(paths.length / seconds) : 0} files a second`,
  }
  say('')
  for (const [name, value] of Object.entries(rows)) say(`${name.padEnd(12)}${value.toLocaleString('en')}`)
  say(
    `\nA killed worker's messages run again: what it ran (${concurrency}) and what it had not yet settled (${UNFLUSHED}). What it only held had not begun.`,
  )
  for (const note of notes) say(note)
  for (const line of wrong.slice(0, MOST_LINES)) say(`WRONG: ${line}`)
  if (wrong.length > 0) say(`${wrong.length} differences`)
  else if (isChecked) say('Checked by find, sha256sum and wc: nothing is missing, nothing differs.')
  say('Redis: only the URL changes, --broker redis://localhost. RabbitMQ comes in a later version.')
  return wrong.length > 0 ? 1 : 0
}
