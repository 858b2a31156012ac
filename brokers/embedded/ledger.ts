/**
 * One transaction's view of the folder: rows of queues and the counters of the whole, each read once and written once. Between
 * transactions nothing of it is believed, as other processes write too; only the numbers of names, which never change, are.
 */
import type { Db } from './database.ts'
import { copied } from './database.ts'
import { after, keyOf, newKey } from './keys.ts'
import { decodeQueue, emptyQueue, encodeQueue } from './queue.ts'
import type { Queue } from './queue.ts'

/** What there is one of. */
export interface Totals {
  /** The last number given to a queue, a consumer, an engine, a topic: never used twice. */
  numbers: number
  /** Bytes of all messages and of what the store keeps. */
  bytes: number
  /** Rows of engines that wait for a topic. */
  waiters: number
  /** Changes whenever a consumer comes or goes, so that a look-out need not read them all each time. */
  consumers: number
}

export interface Ledger {
  readonly db: Db
  /** Epoch ms, and ms on the monotonic clock of the machine: fixed for the transaction. */
  readonly now: number
  readonly mono: number
  readonly totals: Totals
  begin(now: number, mono: number): void
  queue(no: number): Queue
  /** The queues that this transaction has looked at. */
  readonly seen: ReadonlyMap<number, Queue>
  /** The number of a queue, made when it is new. */
  numberOf(namespace: string, name: string): number
  /** The number of a queue that exists; for readers. */
  lookUp(namespace: string, name: string): number | undefined
  names(namespace: string): { readonly name: string; readonly no: number }[]
  nextNumber(): number
  /** Says that the totals must be written. */
  changed(): void
  /** To be undone if the transaction fails: what was changed in memory. */
  onAbort(undo: () => void): void
  /** The same, for every transaction from now on. */
  onAnyAbort(undo: () => void): void
  /** To be done once the transaction is safe. */
  onCommit(act: () => void): void
  /** Writes the rows: the last step inside a transaction. True when anything was put at all. */
  end(): void
  committed(): void
  aborted(): void
}

const TOTALS = 4
const G = keyOf('G')

export function ledger(db: Db): Ledger {
  const numbers = new Map<string, number>(),
    seen = new Map<number, Queue>(),
    undos: (() => void)[] = [],
    always: (() => void)[] = [],
    acts: (() => void)[] = []
  const key = newKey(),
    row = new Float64Array(TOTALS),
    rowBytes = Buffer.from(row.buffer)
  let totals: Totals | undefined,
    totalsDirty = false,
    now = 0,
    mono = 0

  const queueKey = (no: number) => {
    key.bytes[0] = 0x51
    key.bytes.writeUInt32BE(no, 1)
    key.length = 5
    return key
  }
  function readTotals(): Totals {
    const value = db.getBinaryFast(G)
    if (!value) return { numbers: 0, bytes: 0, waiters: 0, consumers: 0 }
    rowBytes.set(copied(value))
    return { numbers: row[0]!, bytes: row[1]!, waiters: row[2]!, consumers: row[3]! }
  }
  function clear(): void {
    seen.clear()
    totals = undefined
    totalsDirty = false
    undos.length = acts.length = 0
  }
  const self: Ledger = {
    db,
    seen,
    get now() {
      return now
    },
    get mono() {
      return mono
    },
    get totals() {
      return (totals ??= readTotals())
    },
    begin(atNow, atMono) {
      clear()
      now = atNow
      mono = atMono
    },
    queue(no) {
      const known = seen.get(no)
      if (known) return known
      const value = db.getBinaryFast(queueKey(no)),
        queue = value ? decodeQueue(no, value) : emptyQueue(no)
      seen.set(no, queue)
      return queue
    },
    numberOf(namespace, name) {
      const found = self.lookUp(namespace, name)
      if (found !== undefined) return found
      const no = self.nextNumber(),
        value = Buffer.alloc(4),
        id = `${namespace}\0${name}`
      value.writeUInt32BE(no)
      db.put(keyOf('N', id), value)
      self.queue(no).dirty = true
      numbers.set(id, no)
      undos.push(() => {
        numbers.delete(id)
      })
      return no
    },
    lookUp(namespace, name) {
      const id = `${namespace}\0${name}`,
        known = numbers.get(id)
      if (known !== undefined) return known
      const value = db.getBinaryFast(keyOf('N', id))
      if (!value) return undefined
      const no = value.readUInt32BE(0)
      numbers.set(id, no)
      return no
    },
    names(namespace) {
      const prefix = keyOf('N', `${namespace}\0`),
        found: { name: string; no: number }[] = []
      for (const { key: at, value } of db.getRange({ start: prefix, end: after(prefix) })) {
        found.push({ name: at.toString('latin1', prefix.length), no: value.readUInt32BE(0) })
      }
      return found
    },
    nextNumber() {
      totalsDirty = true
      return ++self.totals.numbers
    },
    changed() {
      totalsDirty = true
    },
    onAbort(undo) {
      undos.push(undo)
    },
    onAnyAbort(undo) {
      always.push(undo)
    },
    onCommit(act) {
      acts.push(act)
    },
    end() {
      for (const queue of seen.values()) if (queue.dirty) db.put(queueKey(queue.no), encodeQueue(queue))
      if (!totalsDirty || !totals) return
      row[0] = totals.numbers
      row[1] = totals.bytes
      row[2] = totals.waiters
      row[3] = totals.consumers
      db.put(G, rowBytes)
    },
    committed() {
      const due = acts.splice(0)
      clear()
      for (const act of due) act()
    },
    aborted() {
      const due = [...undos.splice(0).reverse(), ...always]
      clear()
      for (const undo of due) undo()
    },
  }
  return self
}
