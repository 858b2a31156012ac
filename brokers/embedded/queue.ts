/** What is known of a queue without looking at its messages: one row, read and written once a transaction, so that counts are exact and cost nothing. */

/**
 * A band. Messages are added at `tail` and taken at `head`; taking one moves `head` and touches nothing else, so a message is
 * written once and removed once in its life. What is given back goes to a list in front, which grows towards lower numbers.
 */
export interface Band {
  head: number
  tail: number
  /** Ready in [head, tail): fewer than tail - head where some were removed. */
  logged: number
  /** The lowest number in use in front. */
  front: number
  /** How many are in front. */
  returned: number
}

/** The index of ids is kept in so many parts, for the reason told in live-ids.ts. */
export const SLOTS = 16

export interface Slot {
  live: number
  puts: number
  base: number
}

export interface Queue {
  readonly no: number
  paused: boolean
  readonly bands: readonly [Band, Band, Band]
  suspect: number
  suspectFront: number
  delayed: number
  /** No delayed message is due before; 0: unknown, look. */
  nextDue: number
  leased: number
  dead: number
  /** The number of the next message that is held, delayed, suspect or dead: only rises. */
  next: number
  /** By slot of the id index: how many live there, how many have ever gone in, and had when it was last begun. */
  readonly slots: Slot[]
  /** Where new ids go. */
  slot: number
  /** Engines that have a row in `W`: nobody looks for them when there are none. */
  idlers: number
  bytes: number
  /** Whether a message with `onceMs` has ever come: others need not look for such keys before. */
  once: boolean
  /** Not kept: whether the row must be written, whether something became ready, or is due sooner than was known. */
  dirty: boolean
  woken: boolean
  sooner: boolean
}

/** In the middle of the safe integers, so that there is room on both sides. */
const MIDDLE = 2 ** 52
const band = (): Band => ({ head: 0, tail: 0, logged: 0, front: MIDDLE, returned: 0 })
export const emptyQueue = (no: number): Queue => ({
  no,
  paused: false,
  bands: [band(), band(), band()],
  suspect: 0,
  suspectFront: MIDDLE,
  delayed: 0,
  nextDue: 0,
  leased: 0,
  dead: 0,
  next: MIDDLE + 1,
  slots: Array.from({ length: SLOTS }, () => ({ live: 0, puts: 0, base: 0 })),
  slot: 0,
  idlers: 0,
  bytes: 0,
  once: false,
  dirty: false,
  woken: false,
  sooner: false,
})

export const readyOf = ({ bands: [a, b, c] }: Queue): number =>
  a.logged + a.returned + b.logged + b.returned + c.logged + c.returned
export const isTakeable = (queue: Queue): boolean => !queue.paused && readyOf(queue) + queue.suspect > 0

const FIELDS = 12 + 5 * 3 + 3 * SLOTS
const row = new Float64Array(FIELDS)
const rowBytes = Buffer.from(row.buffer)

/** The row of a queue; valid until the next call. In the machine's own byte order, as LMDB's file is. */
export function encodeQueue(q: Queue): Buffer {
  let at = 0
  for (const n of [
    q.paused ? 1 : 0,
    q.suspect,
    q.suspectFront,
    q.delayed,
    q.nextDue,
    q.leased,
    q.dead,
    q.next,
    q.slot,
    q.idlers,
    q.bytes,
    q.once ? 1 : 0,
  ])
    row[at++] = n
  for (const { head, tail, logged, front, returned } of q.bands) {
    row[at] = head
    row[at + 1] = tail
    row[at + 2] = logged
    row[at + 3] = front
    row[at + 4] = returned
    at += 5
  }
  for (const { live, puts, base } of q.slots) {
    row[at] = live
    row[at + 1] = puts
    row[at + 2] = base
    at += 3
  }
  return rowBytes
}

export function decodeQueue(no: number, value: Buffer): Queue {
  for (let i = 0; i < rowBytes.length; i++) rowBytes[i] = value[i]!
  let at = 0
  const n = () => row[at++]!
  const paused = n() === 1,
    suspect = n(),
    suspectFront = n(),
    delayed = n(),
    nextDue = n(),
    leased = n(),
    dead = n(),
    next = n(),
    slot = n(),
    idlers = n(),
    bytes = n(),
    once = n() === 1
  const read = (): Band => ({ head: n(), tail: n(), logged: n(), front: n(), returned: n() })
  const bands = [read(), read(), read()] as const
  const slots = Array.from({ length: SLOTS }, (): Slot => ({ live: n(), puts: n(), base: n() }))
  return {
    no,
    paused,
    bands: [...bands],
    suspect,
    suspectFront,
    delayed,
    nextDue,
    leased,
    dead,
    next,
    slots,
    slot,
    idlers,
    bytes,
    once,
    dirty: false,
    woken: false,
    sooner: false,
  }
}
