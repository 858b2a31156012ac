/**
 * A process under full load: what its heaps hold after a collection must not grow, and closing leaves no handle and no listener.
 * The slope is that of least squares through samples at moments of rest; its standard error comes of the means of blocks of them,
 * as neighbours are not independent. The short form holds the same in bytes a message, which no other load on the machine changes.
 * A sample is not free: the collections make V8 forget what it knew of the code, and the rest is another path through it, so that it throws
 * away optimized code and makes it anew, and keeps a little of each. So there are few, and the warm-up has them as well.
 */
import { join } from 'node:path'
import { type Memory, member } from './crew.ts'
import { type Row, atLeast, atMost, count, exactly, note, scenario, shown } from './scenario.ts'

/** MB an hour. */
const SLOPE = 0.5
/** A slope whose error is more than a fourth of that says nothing. */
const ERROR = SLOPE / 4
const BLOCKS = 12
/** What a leak of one small object a message would be above, bytes; and what the noise of the short form stays below. */
const A_MESSAGE = 32

interface Sample extends Memory {
  readonly ran: number
  readonly sent: number
  readonly main: number
  readonly threads: number
}

export const memory = scenario({
  name: 'memory',
  summary: 'full load on file:, memory after collections, handles and listeners after closing',
  flags: {
    seconds: count(1_200, 0, 'how long, after the warm-up; 0: as many messages as said'),
    warmup: count(300, 0, 'seconds that are not counted'),
    messages: count(0, 30_000, 'how many, where no time is said; a fifth more come first and are not counted'),
    samples: count(24, 12, 'how often memory is looked at'),
  },
  async run({ seconds, warmup, messages, samples }, { folder, say }) {
    await using load = await member('memory-load', { path: join(folder, 'queue') }, { execArgv: ['--expose-gc'] })
    const isTimed = seconds > 0
    const step = isTimed
      ? { messages: Number.MAX_SAFE_INTEGER / 2 ** 10, ms: (seconds * 1_000) / samples }
      : { messages: Math.ceil(messages / samples), ms: 0 }
    const steps = isTimed ? Math.max(1, Math.round(warmup / (seconds / samples))) : 1
    const warm = isTimed ? { ...step, ms: Math.max(1, (warmup * 1_000) / steps) } : { messages: Math.ceil(messages / 5), ms: 0 }
    for (let n = 0; n < steps; n++) await load.ask<Sample>('load', warm)
    const first = await load.ask<Sample>('load', step),
      found: (Sample & { readonly at: number })[] = []
    const began = process.hrtime.bigint()
    for (let n = 1; n <= samples; n++) {
      const sample = await load.ask<Sample>('load', step),
        at = Number(process.hrtime.bigint() - began) / 3.6e12
      found.push({ ...sample, at })
      if (n % Math.ceil(samples / 6) === 0)
        say(
          `${shown(sample.ran)} run: ${shown(sample.main)} MB in the process, ${shown(sample.threads)} in its threads, RSS ${shown(sample.rss)}`,
        )
    }
    const last = found.at(-1)!,
      left = await load.ask<readonly string[]>('close')
    return [
      exactly('messages that did not run once', 0, last.sent - last.ran),
      atLeast('messages', Math.max(1, messages), last.ran - first.ran),
      ...(isTimed ? slopes(found) : growth(found)),
      note(
        'RSS at the beginning and at the end',
        `${shown(first.rss)}, ${shown(last.rss)} MB; own ${shown(first.own)}, ${shown(last.own)} MB`,
      ),
      {
        what: 'handles, listeners and threads after closing',
        goal: 'as before',
        measured: left.length === 0 ? 'as before' : left.join('; '),
        ok: left.length === 0,
      },
    ]
  },
})

const HEAPS = [
  ['the process', (sample: Sample) => sample.main],
  ['its threads', (sample: Sample) => sample.threads],
] as const

function slopes(found: readonly (Sample & { readonly at: number })[]): readonly Row[] {
  const of = (value: (sample: Sample) => number) => fit(found.map(sample => [sample.at, value(sample)]))
  const rss = of(({ own }) => own)
  return [
    ...HEAPS.flatMap(([what, value]) => {
      const { slope, error } = of(value)
      return [
        atMost(`growth of ${what} after collections`, SLOPE, slope, ' MB an hour'),
        atMost('  its standard error', ERROR, error, ' MB an hour'),
      ]
    }),
    note('growth of what the process has from the system', `${shown(rss.slope)} MB an hour, standard error ${shown(rss.error)}`),
  ]
}

function growth(found: readonly Sample[]): readonly Row[] {
  return HEAPS.map(([what, value]) => {
    const { slope, error } = fit(found.map(sample => [sample.ran, value(sample) * 1e6]))
    const row = atMost(`growth of ${what} after collections`, A_MESSAGE, slope, ' bytes a message')
    return { ...row, measured: `${row.measured}, standard error ${shown(error)}` }
  })
}

/** Least squares through all points; the error of the slope from the means of blocks. */
export function fit(points: readonly (readonly [x: number, y: number])[]): { readonly slope: number; readonly error: number } {
  const size = Math.max(1, Math.ceil(points.length / BLOCKS))
  const blocks = Array.from({ length: Math.ceil(points.length / size) }, (_, n) => points.slice(n * size, (n + 1) * size)).map(
    block => [mean(block.map(([x]) => x)), mean(block.map(([, y]) => y))] as const,
  )
  const { slope } = line(points),
    { residual, spread } = line(blocks)
  return { slope, error: Math.sqrt(residual / Math.max(1, blocks.length - 2) / spread) }
}
const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
function line(points: readonly (readonly [x: number, y: number])[]) {
  const [x0, y0] = [mean(points.map(([x]) => x)), mean(points.map(([, y]) => y))]
  const spread = points.reduce((sum, [x]) => sum + (x - x0) ** 2, 0),
    slope = points.reduce((sum, [x, y]) => sum + (x - x0) * (y - y0), 0) / spread,
    residual = points.reduce((sum, [x, y]) => sum + (y - y0 - slope * (x - x0)) ** 2, 0)
  return { slope, residual, spread }
}
