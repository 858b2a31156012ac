/** What people and tools ask, inside a transaction: the engine's side of `Inspector`. Looking needs a reading one, changing a writing one. */
import type { Entry, Page, Place as PublicPlace } from '../../lib/broker.ts'
import type { Place } from './keys.ts'
import { AREA, after, messageKey, newKey, placeAt } from './keys.ts'
import type { Ledger } from './ledger.ts'
import { leaseRows } from './leases.ts'
import { MOST_BYTES } from './limits.ts'
import type { LiveIds } from './live-ids.ts'
import type { Messages } from './messages.ts'
import type { Answer, Input } from './protocol.ts'
import type { Queue } from './queue.ts'
import { readyOf } from './queue.ts'
import { atOf, attemptOf, bandOf, bodyOf, epitaph, idOf, lapsesOf, sinceOf } from './record.ts'

const PAGE = 100,
  LONGEST_PAGE = 1_000
/** Of each band what was given back stands before its log. */
const ORDER: Readonly<Record<Exclude<PublicPlace, 'leased'>, readonly number[]>> = {
  ready: [AREA.back, AREA.log, AREA.back + 1, AREA.log + 1, AREA.back + 2, AREA.log + 2],
  suspect: [AREA.suspect],
  delayed: [AREA.delayed],
  dead: [AREA.dead],
}
const WAITING = [...ORDER.ready, AREA.suspect, AREA.delayed]

export interface Inspecting {
  /** Whether time has changed a queue since it was last written: what looks at it must put that right first. */
  stale(name: string): boolean
  refresh(name: string, most: number): void
  queues(): readonly string[]
  counts(name: string): Answer<'counts'>
  list(input: Input<'list'>): Page
  find(id: string, name: string | undefined): Entry | undefined
  remove(name: string, id: string): Answer<'remove'>
  promote(name: string, id: string): Answer<'promote'>
  reschedule(input: Input<'reschedule'>): Answer<'reschedule'>
  revive(input: Input<'revive'>): number
  drop(name: string, ids: readonly string[]): number
  /** Deletes at most so many; fewer means that all are gone. */
  purge(name: string, most: number): number
  pause(name: string, paused: boolean): void
}

export function inspecting(book: Ledger, ids: LiveIds, kept: Messages, namespace: string): Inspecting {
  const { db } = book,
    key = newKey()
  const known = (name: string): Queue | undefined => {
    const no = book.lookUp(namespace, name)
    return no === undefined ? undefined : book.queue(no)
  }
  /** From the first of an area on, or from behind a place. Of a log, what is before its head is leased. */
  function* places({ no, bands }: Queue, area: number, behind?: Place, limit = LONGEST_PAGE + 1): Generator<Place> {
    const prefix = Buffer.from(messageKey(key, no, area, 0).bytes.subarray(0, 6))
    const from = behind
      ? messageKey(key, no, area, behind.a, behind.b)
      : messageKey(key, no, area, area < AREA.back ? bands[area]!.head : 0)
    const start = Buffer.from(from.bytes.subarray(0, from.length))
    for (const at of db.getKeys({ start: behind ? Buffer.concat([start, Buffer.of(0)]) : start, end: after(prefix), limit }))
      yield placeAt(at, 5)
  }
  function locate(queue: Queue, id: string): Place | undefined {
    const bytes = Buffer.from(id)
    return ids.find(queue, bytes, 0, bytes.length)?.place
  }
  function entry(queue: Queue, name: string, place: Place): Entry | undefined {
    const record = kept.read(queue, place)
    if (!record) return undefined
    const at = kept.publicPlace(queue, place)
    return {
      envelope: {
        id: idOf(record),
        queue: name,
        body: new Uint8Array(bodyOf(record)),
        attempt: attemptOf(record),
        priority: bandOf(record),
      },
      place: at,
      deliveries: lapsesOf(record) + 1,
      at: atOf(record),
      ...(at === 'delayed' && { dueAt: sinceOf(record) }),
      ...epitaph(record),
    }
  }
  /** Leased ones are named by the rows of their consumers only: by area and number, so that a cursor holds. */
  function leased({ no }: Queue): Place[] {
    const found: Place[] = []
    for (const { keys } of leaseRows(db)) for (const { queue, area, a, b } of keys) if (queue === no) found.push({ area, a, b })
    return found.sort((x, y) => x.area - y.area || x.a - y.a)
  }

  const self: Inspecting = {
    stale(name) {
      const queue = known(name)
      if (!queue) return false
      if (queue.delayed > 0 && queue.nextDue <= book.now) return true
      return queue.dead > 0 && kept.overdue(queue)
    },
    refresh(name, most) {
      const queue = known(name)
      if (!queue) return
      kept.promoteDue(queue, most)
      kept.trimDead(queue, most)
    },
    queues: () =>
      book
        .names(namespace)
        .map(({ name }) => name)
        .sort(),
    counts(name) {
      const queue = known(name)
      if (!queue) return { ready: 0, delayed: 0, leased: 0, suspect: 0, dead: 0, oldestMs: 0, paused: false }
      let oldest = book.now
      // A log is in the order of time. What several consumers gave back is not: of many, a page is looked at.
      for (const area of ORDER.ready) {
        for (const place of places(queue, area, undefined, area < AREA.back ? 1 : LONGEST_PAGE)) {
          const record = kept.read(queue, place)
          if (record) oldest = Math.min(oldest, sinceOf(record))
        }
      }
      const { delayed, leased: held, suspect, dead, paused } = queue
      return { ready: readyOf(queue), delayed, leased: held, suspect, dead, oldestMs: book.now - oldest, paused }
    },
    list({ queue: name, place, cursor, limit = PAGE }) {
      const queue = known(name)
      if (!queue) return { entries: [] }
      const most = Math.max(1, Math.min(limit, LONGEST_PAGE)),
        behind = cursor === undefined ? undefined : parsed(cursor)
      const found =
        place === 'leased'
          ? leased(queue).filter(at => !behind || at.area > behind.area || (at.area === behind.area && at.a > behind.a))
          : waiting(place)
      const entries: Entry[] = []
      let last: Place | undefined,
        bytes = 0
      for (const at of found) {
        // One more than was asked for tells whether there is another page.
        if (entries.length === most || bytes >= MOST_BYTES) return { entries, cursor: written(last!) }
        const shown = entry(queue, name, at)
        if (shown?.place !== place) continue
        entries.push(shown)
        bytes += shown.envelope.body.length
        last = at
      }
      return { entries }

      function* waiting(where: Exclude<PublicPlace, 'leased'>): Generator<Place> {
        const order = ORDER[where],
          start = behind ? Math.max(0, order.indexOf(behind.area)) : 0
        for (const area of order.slice(start)) yield* places(queue!, area, area === behind?.area ? behind : undefined)
      }
    },
    find(id, name) {
      for (const each of name === undefined ? self.queues() : [name]) {
        const queue = known(each),
          place = queue && locate(queue, id)
        if (queue && place) return entry(queue, each, place)
      }
      return undefined
    },
    remove(name, id) {
      const found = whereIs(name, id)
      if (!found) return 'missing'
      if (found.at === 'leased') return 'leased'
      kept.erase(found.queue, found.place, found.record)
      return 'removed'
    },
    promote(name, id) {
      const found = whereIs(name, id)
      if (!found) return 'missing'
      if (found.at !== 'delayed') return 'not delayed'
      kept.ready(found.queue, found.place, found.record)
      return 'promoted'
    },
    reschedule({ queue: name, id, due, priority }) {
      const found = whereIs(name, id)
      if (!found || found.at === 'dead') return 'missing'
      if (found.at === 'leased') return 'leased'
      const { queue, place, record, at } = found
      const when =
        due !== undefined ? ('at' in due ? due.at : book.now + due.afterMs) : at === 'delayed' ? sinceOf(record) : book.now
      kept.until(queue, place, record, when, priority)
      return 'changed'
    },
    revive({ queue: name, ids: wanted, to }) {
      const target = book.queue(book.numberOf(namespace, to))
      let revived = 0
      for (const { queue, place, record } of deadOnes(name, wanted)) if (kept.revive(queue, place, record, target)) revived++
      return revived
    },
    drop(name, wanted) {
      const found = deadOnes(name, wanted)
      for (const { queue, place, record } of found) kept.erase(queue, place, record)
      return found.length
    },
    purge(name, most) {
      const queue = known(name)
      let purged = 0
      if (!queue) return purged
      for (const area of WAITING) {
        for (const place of Array.from(places(queue, area, undefined, most - purged))) {
          kept.erase(queue, place, kept.read(queue, place)!)
          if (++purged === most) return purged
        }
      }
      return purged
    },
    pause(name, paused) {
      const queue = book.queue(book.numberOf(namespace, name))
      queue.dirty = true
      queue.woken ||= queue.paused && !paused
      queue.paused = paused
    },
  }
  return self

  function whereIs(name: string, id: string) {
    const queue = known(name),
      place = queue && locate(queue, id)
    if (!queue || !place) return undefined
    return { queue, place, record: kept.read(queue, place)!, at: kept.publicPlace(queue, place) }
  }
  function deadOnes(name: string, wanted: readonly string[]) {
    return [...new Set(wanted)]
      .map(id => whereIs(name, id))
      .filter(found => found !== undefined)
      .filter(({ at }) => at === 'dead')
  }
}

const written = ({ area, a, b }: Place): string => `${area}.${a}.${b}`
function parsed(cursor: string): Place {
  const [area = 0, a = 0, b = 0] = cursor.split('.').map(Number)
  return { area, a, b }
}
