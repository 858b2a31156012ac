/** Runs scenarios by their names and flags, prints a table a scenario and the seed, and says with which code the process ends. */
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { systemClock } from '../../lib/clock.ts'
import { newSeed } from '../model/hold.ts'
import type { Flags, Row, Scenario } from './scenario.ts'

/** The values of a scenario's flags: those of one form, and over them what was asked for. */
export function valuesOf(flags: Flags, isShort: boolean, asked: Readonly<Record<string, unknown>> = {}) {
  const value = (name: string) => {
    const flag = flags[name]!,
      given = asked[name] as string | undefined
    if (given === undefined) return isShort ? flag.short : flag.long
    if (typeof flag.long === 'string') return given
    const number = Number(given)
    if (Number.isNaN(number) || given.trim() === '') throw new Usage(`--${name} cannot be "${given}": it is a number`)
    return number
  }
  return Object.fromEntries(Object.keys(flags).map(name => [name, value(name)]))
}
class Usage extends Error {}

/**
 * `[name] [--flags of it] [--short] [--seed n] [--json]`, or `--help`. Without a name all run, one after the other.
 * @returns the exit code: 0 when every row is kept, 1 when one is not or a scenario throws, 2 when the arguments make no sense
 */
export async function soak(
  args: readonly string[],
  scenarios: readonly Scenario[],
  print: (line: string) => void,
): Promise<number> {
  try {
    return await main(args, scenarios, print)
  } catch (error) {
    if (!(error instanceof Usage) && !(error as { code?: string }).code?.startsWith('ERR_PARSE_ARGS')) throw error
    print((error as Error).message)
    print(help(scenarios))
    return 2
  }
}

async function main(args: readonly string[], scenarios: readonly Scenario[], print: (line: string) => void): Promise<number> {
  const name = args[0]?.startsWith('-') === false ? args[0] : undefined
  const wanted = name === undefined ? scenarios : scenarios.filter(each => each.name === name)
  if (wanted.length === 0) throw new Usage(`there is no long run called "${name}"`)
  const own = name === undefined ? {} : wanted[0]!.flags
  const { values } = parseArgs({
    args: args.slice(name === undefined ? 0 : 1),
    options: {
      ...Object.fromEntries(Object.keys(own).map(flag => [flag, { type: 'string' as const }])),
      seed: { type: 'string' },
      short: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  if (values.help === true) {
    print(help(wanted))
    return 0
  }
  const isShort = values.short === true,
    { seed } = valuesOf({ seed: { long: newSeed(), short: newSeed(), what: '' } }, isShort, values) as { seed: number }
  let broken = 0
  for (const each of wanted) {
    print(`\n${each.name}: ${each.summary}\nnode ${process.version}, ${availableParallelism()} cores, seed ${seed}`)
    const began = systemClock.monotonic()
    const rows = await runOne(each, valuesOf(each.flags, isShort, values), { seed, isShort, say: line => print(`  ${line}`) })
    for (const line of table(rows)) print(line)
    print(`${((systemClock.monotonic() - began) / 1_000).toFixed(1)} s`)
    broken += rows.filter(({ ok }) => !ok).length
    if (values.json !== true) continue
    const where = { seed, node: process.version, cores: availableParallelism() }
    for (const row of rows) print(JSON.stringify({ soak: each.name, ...row, ...where }))
  }
  print(broken === 0 ? `\nall kept, seed ${seed}` : `\n${broken} not kept, seed ${seed}`)
  return broken === 0 ? 0 : 1
}

/** One run, in a folder of its own. What it throws is a row too, so that the others run all the same. */
export async function runOne(
  { name, run }: Scenario,
  values: ReturnType<typeof valuesOf>,
  bench: { readonly seed: number; readonly isShort: boolean; say(line: string): void },
): Promise<readonly Row[]> {
  const folder = mkdtempSync(join(tmpdir(), `greenroom-soak-${name}-`))
  try {
    const rows = await run(values as never, { ...bench, folder })
    return rows.some(({ goal }) => goal !== '') ? rows : [...rows, row('a promise that was held', 'one', 'none')]
  } catch (error) {
    return [row('it runs to its end', '', error instanceof Error ? (error.stack ?? error.message) : String(error))]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
const row = (what: string, goal: string, measured: string): Row => ({ what, goal, measured, ok: false })

function table(rows: readonly Row[]): readonly string[] {
  const width = (of: (row: Row) => string) => Math.max(...rows.map(row => of(row).length))
  const [what, goal] = [width(row => row.what), width(row => row.goal)]
  return rows.map(row => `${row.ok ? 'ok  ' : 'FAIL'}  ${row.what.padEnd(what)}  ${row.goal.padEnd(goal)}  ${row.measured}`)
}

function help(scenarios: readonly Scenario[]): string {
  const lines = scenarios.flatMap(({ name, summary, flags }) => [
    `  ${name.padEnd(10)} ${summary}`,
    ...Object.entries(flags).map(
      ([flag, { long, short, what }]) => `    --${flag.padEnd(12)} ${what} (${long}; short: ${short})`,
    ),
  ])
  const usage = 'npm run soak [-- [name] [--flag value ...] [--short] [--seed n] [--json] [--help]]'
  return [usage, 'Without a name all of them run, one after the other, for hours.', '', ...lines].join('\n')
}
