/** A map whose entries end. They are seen no more at their time, and leave memory a few with each call: no timer, no long sweep. */
import { heap } from './heap.ts'
import type { Heap, Timed } from './heap.ts'

interface Row<V> extends Timed {
  readonly key: string
  value: V
}

export interface Expiring<V> {
  readonly size: number
  get(key: string, now: number): V | undefined
  /** Sets, and lets it end at `when`. */
  set(key: string, value: V, when: number): void
  delete(key: string): void
  /** Lets go of up to `most` that have ended. */
  sweep(now: number, most: number): void
}

export function expiring<V>(): Expiring<V> {
  const rows = new Map<string, Row<V>>(),
    ends: Heap<Row<V>> = heap()
  function remove(row: Row<V>): void {
    rows.delete(row.key)
    ends.remove(row)
  }
  return {
    get size() {
      return rows.size
    },
    get(key, now) {
      const row = rows.get(key)
      return row && now < row.when ? row.value : undefined
    },
    set(key, value, when) {
      const known = rows.get(key)
      if (known) remove(known)
      const row = { key, value, when, order: 0, index: -1 }
      rows.set(key, row)
      ends.add(row)
    },
    delete(key) {
      const row = rows.get(key)
      if (row) remove(row)
    },
    sweep(now, most) {
      for (let left = most, first = ends.first; first && first.when <= now && left > 0; left--, first = ends.first) remove(first)
    },
  }
}
