/**
 * Rate limits as functions of their state: no clock, no I/O, and a state that is plain data, so that every store can keep it.
 * They change the state that they are given and return it.
 *
 * Whoever cannot go on now is given a place by its ticket: a time of its own, in the order of arrival, so that of ten thousand
 * that wait each comes back once or twice and none is overtaken. A place is a plan; what is exact is the last look, when the
 * ticket comes: it goes on only if the limit holds with what really went on before.
 */
import type { Bucket, FixedWindow, Limit, SlidingWindow, Slots } from './store.ts'

/** A ticket that does not come within this time of its turn has lost its place. For slots it is their own `leaseMs`. */
export const TICKET_LEASE_MS = 30_000

/** The shortest wait for a slot: how long it will be held is only guessed. */
export const SHORTEST_SLOT_WAIT_MS = 50

/** When a ticket's turn is, epoch ms. */
type Place = [ticket: string, at: number]

export interface PaceState {
  readonly kind: 'bucket' | 'fixed' | 'sliding'
  /** What went on; what has been planned for newcomers; and for those who came at their time and found it taken. */
  went: number[]
  planned: number[]
  late: number[]
  /** In the order of arrival. */
  places: Place[]
}

export interface SlotState {
  readonly kind: 'slots'
  /** Ticket, when its lease ends, when it got its slot. */
  holders: [ticket: string, until: number, since: number][]
  /** In the order of arrival, with the time by which it must ask again. */
  places: Place[]
  /** How long slots are held, a moving mean; 0 before the first came back. */
  meanMs: number
}
export type LimitState = PaceState | SlotState

export interface Acquired<S extends LimitState = LimitState> {
  readonly state: S
  /** 0: go on. Otherwise ms, at least 1, until this ticket's turn. */
  readonly waitMs: number
  /** How long the state matters, ms: after that without a call it is as good as none. */
  readonly keepMs: number
}

/** One ticket asks one limit. A state of another kind (the limit was changed) is as good as none. */
export function acquire(state: LimitState | undefined, ticket: string, limit: Limit, now: number): Acquired {
  if (limit.kind === 'slots') return acquireSlot(state?.kind === 'slots' ? state : undefined, ticket, limit, now)
  return acquirePace(state?.kind === limit.kind ? state : undefined, ticket, limit, now)
}

/** Gives a slot or a place back. Undefined when nothing is left to keep. */
export function release(state: LimitState, ticket: string, now: number): LimitState | undefined {
  state.places = without(state.places, ticket)
  if (state.kind === 'slots') {
    const held = state.holders.find(([holder]) => holder === ticket)
    if (held) state.meanMs = state.meanMs === 0 ? now - held[2] : state.meanMs + (now - held[2] - state.meanMs) / MEAN_OVER
    state.holders = state.holders.filter(holder => holder !== held)
    // What is known of how long slots are held is worth less than a row that is kept for nobody.
    return state.holders.length + state.places.length === 0 ? undefined : state
  }
  if (state.places.length === 0) forgetPlans(state)
  return state.went.length === 0 ? undefined : state
}

/** The mean follows about so many of the last holds. */
const MEAN_OVER = 8

function acquireSlot(found: SlotState | undefined, ticket: string, { max, leaseMs }: Slots, now: number): Acquired<SlotState> {
  const state: SlotState = found ?? { kind: 'slots', holders: [], places: [], meanMs: 0 }
  state.holders = state.holders.filter(([, until]) => until > now)
  state.places = state.places.filter(([, until]) => until > now)
  // No spread into Math.max: ten thousands of arguments are too many.
  const keepMs = () => [...state.holders, ...state.places].reduce((last, [, until]) => Math.max(last, until), now) - now
  const held = state.holders.find(([holder]) => holder === ticket)
  if (held) {
    held[1] = now + leaseMs
    return { state, waitMs: 0, keepMs: keepMs() }
  }
  const at = state.places.findIndex(([waiting]) => waiting === ticket)
  const ahead = at < 0 ? state.places.length : at
  if (ahead < max - state.holders.length) {
    if (at >= 0) state.places.splice(at, 1)
    state.holders.push([ticket, now + leaseMs, now])
    return { state, waitMs: 0, keepMs: keepMs() }
  }
  const waitMs = Math.ceil(Math.max(SHORTEST_SLOT_WAIT_MS, ((ahead + 1) / max) * state.meanMs))
  const place: Place = [ticket, now + waitMs + leaseMs]
  if (at < 0) state.places.push(place)
  else state.places[at] = place
  return { state, waitMs, keepMs: keepMs() }
}

function acquirePace(found: PaceState | undefined, ticket: string, limit: Pace, now: number): Acquired<PaceState> {
  const state: PaceState = found ?? { kind: limit.kind, went: [], planned: [], late: [], places: [] }
  while (state.places[0] && state.places[0][1] + TICKET_LEASE_MS <= now) state.places.shift()
  if (state.places.length === 0) forgetPlans(state)
  const free = next(limit, state.went, now)
  const place = state.places.find(([waiting]) => waiting === ticket)
  const at = turn(place)
  if (place) place[1] = at
  else if (at > now) state.places.push([ticket, at])
  if (at > now) return { state, waitMs: Math.max(1, Math.ceil(at - now)), keepMs: keepMs() }
  if (place) state.places = without(state.places, ticket)
  mark(limit, state.went, now)
  return { state, waitMs: 0, keepMs: keepMs() }

  /** When the ticket may go on. */
  function turn(known: Place | undefined): number {
    if (known && now < known[1]) return known[1]
    if (known && now < known[1] + TICKET_LEASE_MS) {
      if (free <= now) return now
      // It came in time and somebody who was late has been faster. Those in the same case queue up behind each other.
      return planIn(state.late, free)
    }
    return planIn(state.planned, free)
  }

  function planIn(plan: number[], earliest: number): number {
    const time = Math.max(earliest, next(limit, plan, now))
    mark(limit, plan, time)
    return time
  }

  function keepMs(): number {
    const last = Math.max(now, state.places.at(-1)?.[1] ?? now, state.went.at(-1) ?? now)
    return last - now + span(limit) + TICKET_LEASE_MS
  }
}

/** With nobody waiting, a plan is only what went on: places that were given up block nobody. */
function forgetPlans(state: PaceState): void {
  state.planned = [...state.went]
  state.late = []
}

const without = (places: Place[], ticket: string) => places.filter(([waiting]) => waiting !== ticket)

/*
 * Each pace keeps a few numbers about what went on, or is planned:
 *   sliding  the last `limit` times                        fixed  the window's number and how many are in it
 *   bucket   one time: when the bucket will be full again
 */
type Pace = Bucket | FixedWindow | SlidingWindow

/** The first moment, `now` or later, at which one more is within the limit. */
function next(limit: Pace, marks: readonly number[], now: number): number {
  switch (limit.kind) {
    case 'sliding': {
      const first = marks[marks.length - limit.limit]
      return first === undefined ? now : Math.max(now, first + limit.windowMs)
    }
    case 'fixed': {
      const [window = -Infinity, count = 0] = marks
      const open = count < limit.limit ? window : window + 1
      return Math.max(now, open * limit.windowMs)
    }
    case 'bucket': {
      const [full = -Infinity] = marks
      return Math.max(now, full - ((limit.burst - 1) * limit.perMs) / limit.rate)
    }
    default:
      return limit satisfies never
  }
}

function mark(limit: Pace, marks: number[], at: number): void {
  switch (limit.kind) {
    case 'sliding':
      marks.push(at)
      if (marks.length > limit.limit) marks.splice(0, marks.length - limit.limit)
      return
    case 'fixed': {
      const window = Math.floor(at / limit.windowMs)
      marks[1] = window === marks[0] ? marks[1]! + 1 : 1
      marks[0] = window
      return
    }
    case 'bucket':
      marks[0] = Math.max(at, marks[0] ?? at) + limit.perMs / limit.rate
      return
    default:
      return limit satisfies never
  }
}

/** After so long without a call nothing that went on matters any more. */
const span = (limit: Pace) => (limit.kind === 'bucket' ? (limit.burst * limit.perMs) / limit.rate : limit.windowMs)
