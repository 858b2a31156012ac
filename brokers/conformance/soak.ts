/**
 * The long rule: many messages, four consumers, and one delivery in ten retried, released or lost in a crash, under a seed. A
 * small model knows where each id must be; at each checkpoint every id is in exactly one place (promise P5).
 */
import assert from 'node:assert/strict'
import { SUSPECT_FROM } from '../../lib/broker.ts'
import type { Consumer, Delivery, Place, Settlement } from '../../lib/broker.ts'
import { dead, done, envelope, LEASE_MS, release, retry } from './bench.ts'
import type { Bench } from './bench.ts'
import { pages } from './inspecting.ts'
import type { Rule } from './rules.ts'

const CONSUMERS = 4
const CREDIT = 64
const MOST_A_TAKE = 32
const CHECKPOINTS = 4
const PLACES: readonly Place[] = ['ready', 'delayed', 'leased', 'suspect', 'dead']

/** What must be true of an id. */
interface Known {
  attempt: number
  deliveries: number
  state: 'waiting' | 'held' | 'done' | 'dead'
}
interface Worker {
  readonly consumer: Consumer
  readonly held: Map<string, Delivery>
}

/** A small generator with a seed (mulberry32): the same seed, the same run. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export const soak: readonly Rule<Bench>[] = [
  [
    'many messages, four consumers, retries, releases and crashes: every id is accounted for',
    async bench => {
      const seed = Math.floor(bench.random() * 2 ** 32)
      try {
        await run(bench, seeded(seed))
      } catch (cause) {
        throw new Error(`with the seed ${seed}: ${cause instanceof Error ? cause.message : cause}`, { cause })
      }
    },
    ['timed'],
  ],
]

async function run(bench: Bench, random: () => number): Promise<void> {
  const queue = bench.name('soak'),
    total = bench.sizes.soak,
    known = new Map<string, Known>()
  const pick = (count: number) => Math.floor(random() * count)
  await bench.broker.open([queue])
  await pushAll()
  const workers: Worker[] = []
  while (workers.length < CONSUMERS) workers.push(await hire())
  let ended = 0
  for (let checkpoint = 1; checkpoint <= CHECKPOINTS; checkpoint++) {
    await workUntil(Math.floor((total * checkpoint) / CHECKPOINTS))
    await check(checkpoint)
  }
  for (const { consumer } of workers) assert.deepEqual(await bench.look(consumer), [], 'nothing is left')

  async function pushAll(): Promise<void> {
    for (let first = 0; first < total; first += 500) {
      const batch = Array.from({ length: Math.min(500, total - first) }, (_, n) =>
        envelope(queue, `m${first + n}`, { priority: pick(3) as 0 | 1 | 2 }),
      )
      for (const { id } of batch) known.set(id, { attempt: 0, deliveries: 1, state: 'waiting' })
      await bench.push(...batch)
    }
  }

  async function hire(): Promise<Worker> {
    return { consumer: await bench.consume(queue, { credit: CREDIT }), held: new Map() }
  }

  async function workUntil(goal: number): Promise<void> {
    for (let idle = 0; ended < goal;) {
      const at = pick(CONSUMERS),
        worker = workers[at]!
      const taken = await bench.look(worker.consumer, 1 + pick(MOST_A_TAKE))
      for (const delivery of taken) receive(worker, delivery)
      if (random() < 0.02) workers[at] = await crash(worker)
      else await settleSome(worker)
      idle = taken.length > 0 ? 0 : idle + 1
      assert.ok(idle < 1_000, `${total - ended} messages do not come`)
      // What was retried later or released later comes when time goes on.
      if (idle > 0 && idle % CONSUMERS === 0) await bench.advance(LEASE_MS / 4)
    }
  }

  function receive({ held }: Worker, delivery: Delivery): void {
    const {
        envelope: { id, attempt, body },
        deliveries,
        token,
      } = delivery,
      message = known.get(id)
    assert.ok(message, `${id} was never pushed`)
    assert.equal(message.state, 'waiting', `${id} was delivered`)
    assert.deepEqual({ attempt, deliveries }, { attempt: message.attempt, deliveries: message.deliveries }, id)
    assert.equal(Buffer.from(body).toString(), id)
    message.state = 'held'
    held.set(token, delivery)
    assert.ok(held.size <= CREDIT, 'more than the credit')
    const suspects = [...held.values()].filter(other => other.deliveries >= SUSPECT_FROM)
    assert.ok(suspects.length <= 1, `suspects beside each other: ${suspects.map(({ envelope: { id: suspect } }) => suspect)}`)
  }

  async function settleSome({ consumer, held }: Worker): Promise<void> {
    const batch: Settlement[] = [],
      keep = random() < 0.3
    for (const [token, delivery] of held) {
      if (keep && random() < 0.5) continue
      held.delete(token)
      batch.push(settlementOf(delivery))
    }
    if (batch.length > 0) await bench.settle(consumer, ...batch)
  }

  function settlementOf(delivery: Delivery): Settlement {
    const message = known.get(delivery.envelope.id)!,
      chance = random(),
      afterMs = random() < 0.5 ? 0 : pick(3_000)
    if (chance < 0.05) {
      message.attempt++
      message.deliveries = 1
      message.state = 'waiting'
      return retry(delivery, afterMs)
    }
    if (chance < 0.1) {
      message.state = 'waiting'
      return release(delivery, afterMs)
    }
    ended++
    message.state = chance < 0.12 ? 'dead' : 'done'
    return message.state === 'dead' ? dead(delivery) : done(delivery)
  }

  /** All that it holds is delivered once more, and its own settlements count no more. */
  async function crash({ consumer, held }: Worker): Promise<Worker> {
    await bench.crash(consumer)
    await bench.lapse()
    const batch = [...held.values()].map(done)
    if (batch.length > 0)
      assert.deepEqual(new Set(await bench.soon(consumer.settle(batch), 'settle() did not end')), new Set(['lost']))
    for (const {
      envelope: { id },
    } of held.values()) {
      const message = known.get(id)!
      message.state = 'waiting'
      message.deliveries++
    }
    await bench.dispose(consumer)
    return hire()
  }

  /** Each id is where it must be, and nowhere else. */
  async function check(checkpoint: number): Promise<void> {
    const { inspector } = bench.broker
    if (!inspector || !bench.broker.capabilities.peek) return
    const where = new Map<string, Place>()
    for (const place of PLACES) {
      for (const {
        envelope: { id },
      } of await pages(bench, queue, place, 1_000)) {
        assert.equal(where.get(id), undefined, `checkpoint ${checkpoint}: ${id} is ${place} and`)
        where.set(id, place)
      }
    }
    for (const [id, { state }] of known) {
      const place = where.get(id)
      const isRight =
        state === 'done'
          ? place === undefined
          : state === 'dead'
            ? place === 'dead'
            : state === 'held'
              ? place === 'leased'
              : place === 'ready' || place === 'delayed' || place === 'suspect'
      assert.ok(isRight, `checkpoint ${checkpoint}: ${id} is ${state}, and the broker has it as ${place ?? 'gone'}`)
    }
    const { ready, delayed, leased, suspect, dead: buried } = await inspector.counts(queue)
    assert.equal(ready + delayed + leased + suspect + buried, where.size, `checkpoint ${checkpoint}: the counts`)
  }
}
