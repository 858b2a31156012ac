/** Batches of messages inside a transaction: what is pushed, what is settled and what follows from it. */
import { keyOf } from './keys.ts'
import type { Ledger } from './ledger.ts'
import type { Consumer, Held, Leases } from './leases.ts'
import { PROMOTED } from './limits.ts'
import type { Expiring } from './shelf.ts'
import type { Messages } from './messages.ts'
import type { Input, PushedBatch, Special } from './protocol.ts'
import { HEAD_BYTES, attemptOf, idEnd, setAttempt, setLapses, withBody } from './record.ts'
import { unpackPush } from './wire.ts'

/** The verdicts of a push, a byte each. */
export const STORED = 0,
  DUPLICATE = 1
/** The answers of a settlement. */
export const OK = 0,
  LOST = 1

export interface Exchange {
  push(batch: PushedBatch): Uint8Array
  settle(consumer: Consumer, input: Input<'settle'>): Uint8Array
}

export function exchange(book: Ledger, kept: Messages, leases: Leases, rows: Expiring, namespace: string): Exchange {
  function push(batch: PushedBatch): Uint8Array {
    const verdicts = new Uint8Array(batch.count),
      queues = batch.queues.map(name => book.queue(book.numberOf(namespace, name)))
    let index = 0
    for (const { queue: at, record, due, onceMs } of unpackPush(batch, book.now)) {
      const queue = queues[at]!,
        once = onceMs > 0 ? keyOf('O', queue.no, record.subarray(HEAD_BYTES, idEnd(record))) : undefined
      // Ordinary messages do not pay for once keys: there is nothing to look for while a queue has never had one.
      const seen =
        once || queue.once ? rows.alive(once ?? keyOf('O', queue.no, record.subarray(HEAD_BYTES, idEnd(record)))) : undefined
      const stored = seen === undefined && kept.arrive(queue, record, due)
      if (stored && once) {
        queue.once = true
        rows.write(once, new Uint8Array(), onceMs)
      }
      verdicts[index++] = stored ? STORED : DUPLICATE
    }
    return verdicts
  }

  function apply(held: Held, special: Special): void {
    const queue = book.queue(held.queue),
      place = { area: held.area, a: held.seq, b: 0 }
    if (special.kind === 'done') {
      leases.finish(held)
      push(special.then)
      return
    }
    const record = kept.read(queue, place)!
    switch (special.kind) {
      case 'retry': {
        const again = special.body === undefined ? record : withBody(record, special.body)
        setAttempt(again, attemptOf(again) + 1)
        setLapses(again, 0)
        kept.resize(queue, again.length - record.length)
        // What was due before stands before what comes now.
        kept.promoteDue(queue, PROMOTED)
        kept.until(queue, place, again, book.now + special.afterMs)
        return
      }
      case 'release':
        if (special.afterMs > 0) kept.until(queue, place, record, book.now + special.afterMs)
        else kept.putBack(queue, place, record)
        return
      case 'dead':
        kept.bury(queue, place, record, special.reason, special.error)
        if (special.then) push(special.then)
        return
      default:
        special satisfies never
    }
  }

  return {
    push,
    settle(consumer, { tokens, specials }) {
      const verdicts = new Uint8Array(tokens.length),
        settled: Held[] = [],
        heads: [Held, Special][] = [],
        buried = new Map<number, number>()
      book.onAbort(() => {
        for (const held of settled) consumer.held.set(held.n, held)
        consumer.held = new Map([...consumer.held].sort(([a], [b]) => a - b))
      })
      for (let index = 0; index < tokens.length; index++) {
        const held = leases.release(consumer, tokens[index]!),
          special = specials.get(index)
        if (!held) {
          verdicts[index] = LOST
          continue
        }
        settled.push(held)
        if (!special) leases.finish(held)
        else if (special.kind === 'release' && special.afterMs <= 0) heads.push([held, special])
        else apply(held, special)
        if (special?.kind === 'dead') buried.set(held.queue, (buried.get(held.queue) ?? 0) + 1)
      }
      // To the head last first, so that what was taken first is first again.
      for (const [held, special] of heads.sort(([a], [b]) => b.n - a.n)) apply(held, special)
      for (const [no, count] of buried) kept.trimDead(book.queue(no), 2 * count)
      return verdicts
    },
  }
}
