/**
 * What a rule is, and how a table of them is run. A rule is a sentence and a body that uses node:assert; there is no runner to
 * install: `runRules` reports each verdict, and any test framework can print it.
 *
 * @example
 * await runRules(brokerRules, target, (rule, verdict) => t.test(rule, async t => { ... }))
 */
import { systemClock } from '../../lib/clock.ts'
import type { Clock } from '../../lib/clock.ts'
import { systemId, systemRandom } from '../../lib/ids.ts'
import type { Random } from '../../lib/ids.ts'
import { within } from './within.ts'

/** What a target must have for a rule to apply. Each is a key of the bench's `has`. */
export type Need =
  | 'atomicThen'
  | 'exactClock'
  | 'durable'
  | 'farClock'
  | 'inspector'
  | 'once'
  | 'peek'
  | 'removal'
  | 'restart'
  | 'shared'
  | 'timed'
  | 'uniqueIds'

/** A sentence, the check that throws when it does not hold, and what a target must have for it to apply. */
export type Rule<B> = readonly [rule: string, body: (bench: B) => Promise<void>, needs?: readonly Need[]]

/** What came of a rule. `excluded` is not a failure: the target says that it cannot do this. */
export type Verdict =
  | { readonly kind: 'passed' }
  | { readonly kind: 'failed'; readonly error: unknown }
  /** The target cannot do what the rule is about. */
  | { readonly kind: 'excluded'; readonly missing: readonly Need[] }

/** Sizes of the larger rules, for targets that are slow. */
export interface Sizes {
  /** Messages pushed at once. @default 10 000 */
  readonly batch?: number
  /** Messages of the long rule with retries, releases and crashes. @default 10 000 */
  readonly soak?: number
  /** Bytes of the largest body. @default 1 MiB */
  readonly bodyBytes?: number
}

/** How long rules may take, and where chance comes from. */
export interface RunOptions {
  /** How long anything that should happen at once may take, ms of real time. A rule that waits longer has failed. @default 10 000 */
  readonly patienceMs?: number
  /** Names that other runs on the same server do not use. */
  readonly newId?: () => string
  /** Where the seed of the long rule comes from; the seed is in the rule's error. */
  readonly random?: Random
  /** Measures patience. Not the target's clock, which the rules move. */
  readonly clock?: Clock
}
export type Surroundings = Required<RunOptions>

/** A target as its suite sees it: makes a bench for one rule, and clears it away. */
export interface Suite<B> {
  missing(needs: readonly Need[]): Promise<readonly Need[]>
  bench(surroundings: Surroundings): Promise<B & AsyncDisposable>
}

/** A rule as a whole may be so many times as slow as one step of it. */
const STEPS_A_RULE = 12

/** Runs the rules one after the other (they move the target's clock) and reports each. The report may be awaited. */
export async function runEach<B>(
  rules: readonly Rule<B>[],
  suite: Suite<B>,
  report: (rule: string, verdict: Verdict) => unknown,
  { patienceMs = 10_000, newId = systemId, random = systemRandom, clock = systemClock }: RunOptions = {},
): Promise<void> {
  const surroundings = { patienceMs, newId, random, clock }
  for (const [rule, body, needs = []] of rules) {
    const missing = await suite.missing(needs)
    await report(rule, missing.length > 0 ? { kind: 'excluded', missing } : await verdictOf(body, suite, surroundings))
  }
}

async function verdictOf<B>(body: Rule<B>[1], suite: Suite<B>, surroundings: Surroundings): Promise<Verdict> {
  const { clock, patienceMs } = surroundings
  const run = async () => {
    await using bench = await suite.bench(surroundings)
    await body(bench)
  }
  try {
    await within(clock, patienceMs * STEPS_A_RULE, run(), 'the rule did not end')
    return { kind: 'passed' }
  } catch (error) {
    return { kind: 'failed', error }
  }
}
