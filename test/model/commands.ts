/**
 * Random commands as plain data, so that a failing run can be read and shortened, and what they do to a broker and to the
 * reference beside it. A command names consumers, messages and tokens by number, modulo what there is: any part of a run is a run.
 */
import assert from 'node:assert/strict'
import * as fc from 'fast-check'
import type { BrokerTarget } from '../../conformance.ts'
import type { Broker, Consumer, Envelope, Place, Settlement } from '../../lib/broker.ts'
import type { Band, Due } from '../../lib/message.ts'
import { reference, shownEntry } from './reference.ts'
import type { Holder } from './reference.ts'

export const QUEUES = ['a', 'b', 'c'] as const
const IDS = Array.from({ length: 10 }, (_, n) => `m${n}`)
const PLACES: readonly Place[] = ['ready', 'delayed', 'suspect', 'dead', 'leased']
const LEASE_MS = 12_000
/** Alive, the others are not made. */
const MOST_CONSUMERS = 4
/** A page of the listings that are compared: smaller than most of them. */
const PAGE = 3

const oneOf = <const T>(...values: readonly T[]) => fc.constantFrom(...values)
const queue = oneOf(...QUEUES),
  id = oneOf(...IDS),
  band = oneOf<Band>(0, 1, 2),
  number = fc.nat(1_000)
/** Odd, where the clock moves in even steps: at the very end of a `onceMs` the contract is silent. */
const onceMs = oneOf(undefined, undefined, undefined, 1, 2_001, 40_001)
const afterMs = oneOf(0, 0, 0, 500, 1_000, 1_020, 20_000)
/** `at` counts from the broker's time. The last delay is longer than Node's timers. */
const due = oneOf(
  undefined,
  undefined,
  undefined,
  undefined,
  { afterMs: 0 },
  { afterMs: 500 },
  { afterMs: 1_000 },
  { afterMs: 1_020 },
  { afterMs: 2 ** 31 },
  { at: 1_000 },
  { at: -1_000 },
  { at: -1e15 },
)
const sketch = fc.record({
  queue: oneOf(...QUEUES, ...QUEUES, ...QUEUES, 'not a name'),
  id,
  body: fc.nat(3),
  attempt: fc.nat(2),
  priority: band,
  due,
  onceMs,
})
type Sketch = typeof sketch extends fc.Arbitrary<infer T> ? T : never
const then = fc.array(
  sketch.map(each => ({ ...each, queue: each.queue === 'not a name' ? ('a' as const) : each.queue })),
  { maxLength: 2 },
)
const settlement = fc.record({
  token: oneOf('held', 'held', 'held', 'held', 'any', 'none'),
  which: number,
  kind: oneOf('done', 'retry', 'release', 'dead'),
  afterMs,
  body: oneOf(undefined, undefined, 7),
  error: oneOf(undefined, 'an error'),
  then,
})
const who = number
const command = fc.oneof(
  { weight: 1, arbitrary: fc.record({ do: oneOf('open'), queues: fc.array(queue) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: oneOf('consume'),
      queues: fc.uniqueArray(queue, { minLength: 1 }),
      credit: fc.integer({ min: 1, max: 6 }),
    }),
  },
  { weight: 10, arbitrary: fc.record({ do: oneOf('push'), batch: fc.array(sketch, { maxLength: 6 }) }) },
  {
    weight: 12,
    arbitrary: fc.record({
      do: oneOf('take'),
      who,
      max: fc.nat(6),
      room: fc.option(fc.dictionary(queue, fc.nat(2)), { freq: 4, nil: undefined }),
      aborted: oneOf(false, false, false, false, false, false, false, true),
    }),
  },
  { weight: 12, arbitrary: fc.record({ do: oneOf('settle'), who, batch: fc.array(settlement, { minLength: 1, maxLength: 4 }) }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: oneOf('advance'), ms: oneOf(2, 500, 498, 1_000, 2_000, LEASE_MS / 4, 2 * LEASE_MS, 40_000) }),
  },
  { weight: 2, arbitrary: fc.record({ do: oneOf('freeze'), who }) },
  { weight: 3, arbitrary: fc.record({ do: oneOf('crash'), who }) },
  { weight: 2, arbitrary: fc.record({ do: oneOf('dispose'), who }) },
  { weight: 2, arbitrary: fc.record({ do: oneOf('remove', 'promote'), queue, id }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: oneOf('reschedule'), queue, id, due, priority: fc.option(band, { nil: undefined }) }),
  },
  { weight: 2, arbitrary: fc.record({ do: oneOf('revive'), queue, ids: fc.array(id), to: oneOf(undefined, ...QUEUES) }) },
  { weight: 1, arbitrary: fc.record({ do: oneOf('drop'), queue, ids: fc.array(id) }) },
  { weight: 1, arbitrary: fc.record({ do: oneOf('purge', 'pause'), queue }) },
  { weight: 2, arbitrary: fc.record({ do: oneOf('resume'), queue }) },
  { weight: 1, arbitrary: fc.record({ do: oneOf('restart', 'list', 'list', 'list', 'list') }) },
)
export type Command = typeof command extends fc.Arbitrary<infer T> ? T : never
/** Commands, and after how many of them the broker is looked at: looking makes some of them do what was left for later. */
export interface Run {
  readonly every: number
  readonly commands: readonly Command[]
}
export const runs = (maxLength: number): fc.Arbitrary<Run> =>
  fc.record({ every: oneOf(1, 1, 5, 1_000), commands: fc.array(command, { maxLength, size: 'max' }) })

const never = new AbortController().signal
const bytes = (n: number) => Uint8Array.from({ length: n }, (_, at) => (at * 85 + n) % 256)
const given = <T extends object>(values: T) =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>
  }

interface Working {
  readonly holder: Holder
  readonly consumer: Consumer
  readonly told: string[]
}

/** At which command, and what. */
export class Difference extends Error {
  readonly step: number
  constructor(step: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.step = step
  }
}

/** Runs the commands on a new broker of the target and on a reference; throws where they differ. Resolves to how many ran. */
export async function play(target: BrokerTarget, namespace: string, { every, commands }: Run): Promise<number> {
  let broker: Broker = await target.open(namespace)
  const origin = await clockOf(broker),
    model = reference(broker.capabilities, LEASE_MS, origin)
  const used = new Set<string>(['probe']),
    handed: string[] = []
  let working: Working[] = [],
    now = origin,
    step = 0
  try {
    await consume(QUEUES, 6)
    for (; step < commands.length; step++) {
      await act(commands[step]!)
      if ((step + 1) % every === 0) await compare(step)
    }
    await compareAll()
  } catch (cause) {
    throw new Difference(step, (cause as Error).message, { cause })
  } finally {
    await broker[Symbol.asyncDispose]()
  }
  return step

  async function consume(queues: readonly string[], credit: number): Promise<void> {
    if (working.length >= MOST_CONSUMERS) return
    const told: string[] = []
    const consumer = await broker.consume({ queues, credit, leaseMs: LEASE_MS, onLost: tokens => told.push(...tokens) })
    working.push({ holder: model.consume(queues, credit), consumer, told })
    for (const each of queues) used.add(each)
  }

  async function advance(ms: number): Promise<void> {
    // The living renew every third of a lease.
    for (let left = model.rest(ms); left > 0; left -= LEASE_MS / 4) {
      const part = Math.min(left, LEASE_MS / 4)
      await target.advance(part)
      model.advance(part)
      now += part
    }
  }

  async function act(command: Command): Promise<void> {
    const { inspector } = broker
    assert.ok(inspector)
    const usable = working.filter(({ holder }) => model.isUsable(holder))
    const picked = 'who' in command ? usable[command.who % usable.length] : undefined
    if ('who' in command && !picked) return
    switch (command.do) {
      case 'open':
        for (const each of command.queues) used.add(each)
        return broker.open(command.queues)
      case 'consume':
        return consume(command.queues, command.credit)
      case 'push': {
        const batch = command.batch.map(envelopeOf),
          verdicts = await broker.push(batch)
        assert.deepEqual(
          verdicts.map(verdict => (typeof verdict === 'string' ? verdict : 'refused')),
          model.push(batch),
        )
        for (const each of batch) if (each.queue !== 'not a name') used.add(each.queue)
        return
      }
      case 'take': {
        const { consumer, holder } = picked!,
          { max, room, aborted } = command
        const got = await consumer.take(max, { waitMs: 0, signal: aborted ? AbortSignal.abort() : never, ...(room && { room }) })
        if (aborted) return assert.deepEqual(got, [])
        handed.push(...got.map(({ token }) => token))
        model.take(holder, max, room, got)
        return max >= 1 ? compareLost(picked!) : undefined
      }
      case 'settle': {
        const batch = command.batch.map(each => settlementOf(picked!, each))
        assert.deepEqual(await picked!.consumer.settle(batch), model.settle(picked!.holder, batch))
        return compareLost(picked!)
      }
      case 'advance':
        return advance(command.ms)
      case 'freeze':
      case 'crash':
        // One at a time: the order in which two lapse in one while is open.
        if (usable.length < working.length) await advance(3 * LEASE_MS)
        await target.crash(picked!.consumer)
        model.freeze(picked!.holder)
        return command.do === 'crash' ? advance(3 * LEASE_MS) : undefined
      case 'dispose':
        await picked!.consumer[Symbol.asyncDispose]()
        model.dispose(picked!.holder)
        working = working.filter(each => each !== picked)
        return
      case 'remove':
      case 'promote':
        return assert.equal(await inspector[command.do](command.queue, command.id), model[command.do](command.queue, command.id))
      case 'reschedule': {
        const change = given({ due: command.due && dueOf(command.due), priority: command.priority })
        return assert.equal(
          await inspector.reschedule(command.queue, command.id, change),
          model.reschedule(command.queue, command.id, change),
        )
      }
      case 'revive':
        if (command.to !== undefined) used.add(command.to)
        return assert.equal(
          await inspector.revive(command.queue, command.ids, given({ to: command.to })),
          model.revive(command.queue, command.ids, command.to),
        )
      case 'drop':
        return assert.equal(await inspector.drop(command.queue, command.ids), model.drop(command.queue, command.ids))
      case 'purge':
        return assert.equal(await inspector.purge(command.queue), model.purge(command.queue))
      case 'pause':
      case 'resume':
        await inspector[command.do](command.queue)
        return model[command.do](command.queue)
      case 'list':
        return compareAll()
      case 'restart':
        return restart()
      default:
        return command satisfies never
    }
  }

  /** Ends all processes that have it open, in peace, and opens it again. */
  async function restart(): Promise<void> {
    if (!target.restart || !working.every(({ holder }) => model.isUsable(holder))) return
    await target.restart()
    broker = await target.open(namespace)
    for (const { holder } of working) model.dispose(holder)
    working = []
    // A restart takes its time, in which the clock goes on.
    const passed = (await clockOf(broker)) - now
    model.advance(passed)
    now += passed
    await advance(0)
    await consume(QUEUES, 6)
  }

  function envelopeOf({ body, due: when, onceMs: ms, ...rest }: Sketch): Envelope {
    return { ...rest, body: bytes(body), ...given({ due: when && dueOf(when), onceMs: ms }) }
  }
  function dueOf(when: Due): Due {
    return 'at' in when ? { at: Math.max(0, now + when.at) } : when
  }

  function settlementOf(
    { holder }: Working,
    { token: whose, which, kind, ...rest }: typeof settlement extends fc.Arbitrary<infer T> ? T : never,
  ): Settlement {
    const held = model.held(holder),
      from = whose === 'held' && held.length > 0 ? held : handed
    const token = whose === 'none' || from.length === 0 ? 'no such token' : from[which % from.length]!
    const follow = rest.then.map(envelopeOf)
    if (kind === 'done') return { token, kind, then: follow }
    if (kind === 'dead')
      return { token, kind, reason: 'test', then: follow, ...(rest.error && { error: Buffer.from(rest.error) }) }
    if (kind === 'release') return { token, kind, afterMs: rest.afterMs }
    return { token, kind, afterMs: rest.afterMs, ...(rest.body !== undefined && { body: bytes(rest.body) }) }
  }

  /** It knows by now what it lost, and was told of nothing else. */
  function compareLost({ holder, told }: Working): void {
    assert.deepEqual([...new Set(told)].sort(), [...holder.lost].sort(), 'what a consumer lost')
  }

  /** After each command: the counts, and a few messages. */
  async function compare(round: number): Promise<void> {
    const inspector = broker.inspector!
    const few = QUEUES.map((name, n) => [IDS[(round * 3 + n) % IDS.length]!, name] as const)
    const [counts, found] = await Promise.all([
      Promise.all(QUEUES.map(name => inspector.counts(name))),
      Promise.all(few.map(([name, of]) => inspector.find(name, of))),
    ])
    for (const [n, name] of QUEUES.entries()) assert.deepEqual(counts[n], model.counts(name), `the counts of ${name}`)
    for (const [n, [name, of]] of few.entries()) assert.deepEqual(shownEntry(found[n]), model.find(name, of), `${of}/${name}`)
  }

  async function compareAll(): Promise<void> {
    const inspector = broker.inspector!
    const known = await inspector.queues()
    for (const name of used) assert.ok(known.includes(name), `${name} is not among the queues: ${known}`)
    for (const name of QUEUES) {
      for (const place of PLACES) {
        const listed: string[] = []
        for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
          const page = await inspector.list(name, place, { limit: PAGE, ...given({ cursor }) })
          assert.ok(page.entries.length <= PAGE)
          for (const entry of page.entries) {
            assert.deepEqual(shownEntry(entry), model.find(entry.envelope.id, name), `${name}, ${place}`)
            listed.push(entry.envelope.id)
          }
          assert.ok(listed.length <= IDS.length, `${name}, ${place}: the listing does not end`)
          ;({ cursor } = page)
        }
        const expected = model.list(name, place)
        if (place === 'leased') assert.deepEqual(listed.sort(), expected.sort(), `${name}, ${place}`)
        else assert.deepEqual(listed, expected, `${name}, ${place}`)
      }
    }
    for (const name of IDS) {
      const found = await inspector.find(name)
      const places = QUEUES.map(each => model.find(name, each)).filter(each => each !== undefined)
      if (places.length === 0) assert.equal(found, undefined)
      else
        assert.ok(
          places.some(each => each.queue === found?.envelope.queue && each.place === found.place),
          `${name}, anywhere`,
        )
    }
  }
}

/** What the broker's clock says: of a probe that is due far off. */
async function clockOf(broker: Broker): Promise<number> {
  const day = 86_400_000
  await broker.push([{ id: 'probe', queue: 'probe', body: bytes(0), attempt: 0, priority: 1, due: { afterMs: day } }])
  const found = await broker.inspector!.find('probe', 'probe')
  await broker.inspector!.remove('probe', 'probe')
  return found!.dueAt! - day
}
