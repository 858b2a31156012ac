/** The index of live ids, beside messages that fall due in another order than they came. */
import t from 'tap'
import { openDatabase } from '../../brokers/embedded/database.ts'
import { AREA } from '../../brokers/embedded/keys.ts'
import { ledger } from '../../brokers/embedded/ledger.ts'
import { liveIds } from '../../brokers/embedded/live-ids.ts'
import { messages } from '../../brokers/embedded/messages.ts'
import type { Queue } from '../../brokers/embedded/queue.ts'
import { recordBytes, writeRecord } from '../../brokers/embedded/record.ts'
import { newGate } from '../../brokers/embedded/standstill.ts'
import { seeded } from '../rig/random.ts'
import { folder } from './embedded-target.ts'

const MANY = 20_000
const DUE = 1_000
/** What a transaction of few pages may touch: far from what came together. */
const SMALL = 2 * DUE

t.test('what falls due leaves the big parts of the index for a small one, is found there, and goes from there', async t => {
  const db = await openDatabase(folder(t), 'none', newGate())
  t.teardown(() => db.close())
  const book = ledger(db),
    ids = liveIds(book),
    kept = messages(book, ids, {}),
    random = seeded(1)
  function inTransaction<T>(now: number, body: (queue: Queue) => T): T {
    book.begin(now, now)
    const value = db.transactionSync(() => {
      const done = body(book.queue(1))
      book.end()
      return done
    })
    book.committed()
    return value
  }
  const body = Buffer.from('{}'),
    name = (n: number) => `message-${n}`
  const recordOf = (n: number) => {
    const record = Buffer.alloc(recordBytes(name(n), body))
    writeRecord(record, 0, { id: name(n), band: 1, attempt: 0, body })
    return record
  }
  const find = (queue: Queue, n: number) => ids.find(queue, Buffer.from(name(n)), 0, name(n).length)
  const live = ({ slots }: Queue) => slots.reduce((sum, slot) => sum + slot.live, 0)

  // Each is due at a time of its own, from 1 on.
  const order = Array.from({ length: MANY }, (_, n) => [random(), n] as const)
    .toSorted(([a], [b]) => a - b)
    .map(([, n]) => n)
  const dueAt = new Map(order.map((n, at) => [n, at + 1]))
  inTransaction(0, queue => {
    for (let n = 0; n < MANY; n++) kept.arrive(queue, recordOf(n), dueAt.get(n))
    t.ok(Math.max(...queue.slots.map(slot => slot.live)) > SMALL, 'those that came together stand together')
  })
  inTransaction(DUE, queue => {
    while (kept.promoteDue(queue, 256)) /* the next */ ;
    t.strictSame([queue.delayed, queue.bands[1].logged, live(queue)], [MANY - DUE, DUE, MANY])
    const found = order.map(n => find(queue, n))
    t.ok(
      found.every(at => at !== undefined),
      'each is found',
    )
    const due = found.slice(0, DUE).map(at => at!)
    t.ok(
      due.every(({ place, slot }) => place.area === AREA.log + 1 && queue.slots[slot]!.live <= SMALL),
      'those that are due where few are',
    )
    t.ok(
      found.slice(DUE).every(at => at!.place.area === AREA.delayed),
      'the others where they were',
    )
    t.notOk(
      order.some(n => kept.arrive(queue, recordOf(n), undefined)),
      'none may come again',
    )
    for (const { place } of due) kept.erase(queue, place, kept.read(queue, place)!)
    t.equal(live(queue), MANY - DUE)
    t.notOk(order.slice(0, DUE).some(n => find(queue, n)))
    t.ok(kept.arrive(queue, recordOf(order[0]!), undefined), 'and may come again once it is gone')
  })
})
