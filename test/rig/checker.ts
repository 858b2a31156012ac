/**
 * Judges the lines of a ledger (ledger.ts) after a drain, by the invariants that a scenario chooses. Pure: lines in, a verdict out.
 * A rerun is explained when the worker of the run before it has a fault after that run started, and had not settled it for sure:
 * more than `unflushed` effects later on the same worker, its settlement has left.
 */
import { column } from './columns.ts'

export type Invariant = 'I1' | 'I2' | 'I3' | 'I4' | 'I5' | 'I6' | 'I7' | 'I8' | 'I9' | 'I10' | 'I11' | 'I12'
export const INVARIANTS: Readonly<Record<Invariant, string>> = {
  I1: 'nothing that was acknowledged is lost',
  I2: 'each rerun is explained by a fault, and no fault has more of them than it may',
  I3: 'nothing ran that was not sent',
  I4: 'each live message is in one place, and nothing is orphaned',
  I5: 'what a fault interrupted runs again in time',
  I6: 'processes end as documented',
  I7: 'no rejection or exception is left unhandled',
  I8: 'handles, listeners and memory are back where they were',
  I9: 'attempts and deliveries count by one',
  I10: 'a dead letter has its reason and its bytes',
  I11: 'messages start in the order in which they were sent',
  I12: 'others keep 80% of their throughput',
}

export interface Rules {
  readonly invariants: readonly Invariant[]
  /** Faults of these kinds explain a rerun. @default kill, stop, fail, abort, net */
  readonly explains?: readonly string[]
  /** Settlements that a worker may not have sent yet. */
  readonly unflushed?: number
  /** Reruns that one fault may cause. */
  readonly rerunsPerFault?: number
  /** I5. */
  readonly recoveryMs?: number
  /** I9: how many attempts each message must have had. */
  readonly attempts?: (id: number) => number | undefined
  /** I4: places in which a live message may be at the end. @default none */
  readonly mayStay?: readonly string[]
}

export interface Violation {
  readonly invariant: Invariant
  readonly what: string
  readonly count: number
  /** The first of them. */
  readonly ids: readonly number[]
}

export interface Verdict {
  readonly violations: readonly Violation[]
  readonly sent: number
  readonly maybe: number
  readonly ended: number
  readonly dead: number
  readonly runs: number
  readonly reruns: number
  readonly faults: number
  /** Faults that interrupted nothing. */
  readonly idleFaults: number
  readonly mostReruns: number
  readonly recovery: { readonly medianMs: number; readonly mostMs: number } | undefined
}

export interface Checker {
  line(line: string): void
  verdict(): Verdict
}

const ACKED = 1,
  MAYBE = 2,
  ENDED = 4,
  DEAD = 8,
  EXPIRED = 16,
  FOUND = 32
/** As many ids are named in a violation. */
const NAMED = 10

interface Fault {
  readonly explains: boolean
  readonly t0: number
  readonly t1: number
  reruns: number
  recoveredMs: number
}
interface Worker {
  readonly pid: number
  ends: number
}

export function createChecker(rules: Rules): Checker {
  const explains = new Set(rules.explains ?? ['kill', 'stop', 'fail', 'abort', 'net'])
  const flags = column(Uint8Array),
    attempts = column(Uint16Array),
    deliveries = column(Uint16Array),
    starts = column(Uint16Array),
    startedBy = column(Uint32Array),
    startedAt = column(Float64Array),
    /** The effect's number on its worker, from 1; 0: the last run has had none. */
    effects = column(Uint32Array)
  const workers: Worker[] = [],
    current = new Map<number, number>(),
    faults = new Map<number, Fault[]>(),
    /** When each fault that explains began, in order. */
    begun: number[] = []
  const found = new Map<string, { invariant: Invariant; what: string; count: number; ids: number[] }>()
  const total = { ids: 0, runs: 0, reruns: 0 }
  let latest = -1

  const violated = (invariant: Invariant, what: string, id?: number) => {
    if (!rules.invariants.includes(invariant)) return
    let violation = found.get(invariant + what)
    if (!violation) found.set(invariant + what, (violation = { invariant, what, count: 0, ids: [] }))
    violation.count++
    if (id !== undefined && violation.ids.length < NAMED) violation.ids.push(id)
  }
  const flag = (id: number, bit: number) => {
    total.ids = Math.max(total.ids, id + 1)
    flags.set(id, flags.get(id) | bit)
  }
  const all = (range: string, bit: number) => {
    const [from, to = from] = range.split('-').map(Number)
    for (let id = from!; id <= to!; id++) flag(id, bit)
  }
  const open = (pid: number) => {
    current.set(pid, workers.length)
    workers.push({ pid, ends: 0 })
    return workers.length - 1
  }
  const workerOf = (pid: number) => current.get(pid) ?? open(pid)

  function start(id: number, attempt: number, delivery: number, pid: number, t: number): void {
    total.runs++
    const before = starts.get(id),
      worker = workerOf(pid)
    if (before === 0) {
      if (attempt !== 0) violated('I9', 'a first run with an attempt that is not 0', id)
      if (!mayMiss(delivery - 1, t)) violated('I9', 'a first run whose deliveries are not 1', id)
      if (id < latest) violated('I11', 'started after one that was sent later', id)
      latest = Math.max(latest, id)
    } else if (attempt === attempts.get(id)) rerun(id, delivery, t)
    else if (attempt !== attempts.get(id) + 1) violated('I9', 'attempts that do not count by one', id)
    starts.set(id, before + 1)
    total.ids = Math.max(total.ids, id + 1)
    attempts.set(id, attempt)
    deliveries.set(id, delivery)
    startedBy.set(id, worker)
    startedAt.set(id, t)
    effects.set(id, 0)
  }

  /** A worker may die with a message before it starts it: that delivery has no line, and each needs a fault of its own. */
  const mayMiss = (missing: number, t: number) => missing === 0 || (begun[missing - 1] ?? Infinity) <= t

  /** The same attempt again. */
  function rerun(id: number, delivery: number, t: number): void {
    total.reruns++
    const missing = delivery - deliveries.get(id) - 1
    if (missing < 0) violated('I9', 'a rerun whose deliveries did not grow', id)
    else if (!mayMiss(missing, t)) violated('I9', 'a rerun whose deliveries grew by more than one', id)
    const last = workers[startedBy.get(id)]!,
      since = startedAt.get(id)
    const fault = faults.get(last.pid)?.find(({ explains, t0, t1 }) => explains && t1 >= since && t0 <= t)
    if (!fault) return violated('I2', 'ran again, and nothing happened to the worker that ran it', id)
    const effect = effects.get(id)
    if (effect > 0 && rules.unflushed !== undefined && last.ends - effect >= rules.unflushed)
      return violated('I2', 'ran again though it must have been settled', id)
    fault.reruns++
    fault.recoveredMs = Math.max(fault.recoveredMs, t - fault.t0)
    if (rules.recoveryMs !== undefined && t - fault.t0 > rules.recoveryMs)
      violated('I5', `ran again later than ${rules.recoveryMs} ms after the fault`, id)
  }

  function end(id: number, pid: number): void {
    const worker = workerOf(pid)
    flag(id, ENDED)
    workers[worker]!.ends++
    if (starts.get(id) === 0) violated('I3', 'had an effect without a start', id)
    if (startedBy.get(id) === worker) effects.set(id, workers[worker]!.ends)
  }

  function line(text: string): void {
    const [kind, a = '', b = '', c = '', d = '', e = ''] = text.split(' ', 6)
    switch (kind) {
      case 'A':
        return all(a, ACKED)
      case 'M':
        return all(a, MAYBE)
      case 'W':
        return void open(Number(a))
      case 'S':
        if (e !== '') start(Number(a), Number(b), Number(c), Number(d), Number(e)) // a torn line is none
        return
      case 'E':
        if (c !== '') end(Number(a), Number(b))
        return
      case 'F': {
        const of = faults.get(Number(b)) ?? []
        faults.set(Number(b), of)
        if (explains.has(a)) begun.splice(begun.findLastIndex(t0 => t0 <= Number(c)) + 1, 0, Number(c))
        return void of.push({ explains: explains.has(a), t0: Number(c), t1: Number(d), reruns: 0, recoveredMs: 0 })
      }
      case 'D':
        if ((flags.get(Number(a)) & DEAD) !== 0) violated('I4', 'is a dead letter twice', Number(a))
        if (Number(b) === 0 || c === '') violated('I10', 'is a dead letter without its reason or its bytes', Number(a))
        return flag(Number(a), DEAD)
      case 'X':
        return flag(Number(a), EXPIRED)
      case 'L':
        if ((flags.get(Number(a)) & (FOUND | DEAD)) !== 0) violated('I4', 'is in two places', Number(a))
        if (!rules.mayStay?.includes(b)) violated('I4', `is still ${b}`, Number(a))
        return flag(Number(a), FOUND)
      case 'O':
        return violated('I4', `left behind: ${text.slice(2)}`)
      case 'P':
        if (!c.split(',').includes(b)) violated('I6', `${a} ended with ${b}, and not with ${c.replaceAll(',', ' or ')}`)
        return
      case 'U':
        return violated('I7', text.slice(2))
      case 'R':
        if (Number(c) > Number(b) + Number(d)) violated('I8', `${a} grew from ${b} to ${c}`)
        return
      case 'T':
        if (Number(c) < 0.8 * Number(b)) violated('I12', `${a} fell from ${b} to ${c}`)
        return
      default:
        throw new Error(`not a line of a ledger: ${text}`)
    }
  }

  function verdict(): Verdict {
    const count = { sent: 0, maybe: 0, ended: 0, dead: 0 }
    for (let id = 0; id < total.ids; id++) {
      const is = flags.get(id)
      if (is & ACKED) count.sent++
      else if (is & MAYBE) count.maybe++
      if (is & ENDED) count.ended++
      if (is & DEAD) count.dead++
      if (is & ACKED && !(is & (ENDED | DEAD | EXPIRED | FOUND))) violated('I1', 'was acknowledged and is lost', id)
      if (!(is & (ACKED | MAYBE)) && (is !== 0 || starts.get(id) > 0)) violated('I3', 'was never sent', id)
      const wanted = rules.attempts?.(id)
      if (wanted !== undefined && starts.get(id) > 0 && attempts.get(id) + 1 !== wanted)
        violated('I9', `had another number of attempts than ${wanted}`, id)
    }
    const every = [...faults.values()].flat().filter(({ explains }) => explains)
    for (const { reruns } of every)
      if (rules.rerunsPerFault !== undefined && reruns > rules.rerunsPerFault)
        violated('I2', `one fault had ${reruns} reruns, and not at most ${rules.rerunsPerFault}`)
    const recovered = every
      .filter(({ reruns }) => reruns > 0)
      .map(({ recoveredMs }) => recoveredMs)
      .sort((a, b) => a - b)
    return {
      violations: [...found.values()],
      ...count,
      runs: total.runs,
      reruns: total.reruns,
      faults: every.length,
      idleFaults: every.length - recovered.length,
      mostReruns: every.reduce((most, { reruns }) => Math.max(most, reruns), 0),
      recovery: recovered.length > 0 ? { medianMs: recovered[recovered.length >> 1]!, mostMs: recovered.at(-1)! } : undefined,
    }
  }
  return { line, verdict }
}

/** For people: one line for each violation. */
export const shownViolations = ({ violations }: Verdict) =>
  violations.map(
    ({ invariant, what, count, ids }) =>
      `${invariant} (${INVARIANTS[invariant]}): ${count} ${what}${ids.length > 0 ? `: ${ids.join(', ')}${count > ids.length ? ', ...' : ''}` : ''}`,
  )
