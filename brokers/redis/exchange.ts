/** The call of scripts/exchange.lua and its like: arguments, and what the answers say. */
import type { Envelope, Settlement } from '../../lib/broker.ts'
import { type Frame, readFrame } from './frame.ts'
import { keysOf } from './keys.ts'
import { type Argument, LinkError } from './link.ts'
import { packRecords } from './records.ts'

export interface Taken {
  readonly field: string
  readonly frame: Frame
}

/** Bytes that one call brings, about: a few large bodies, or many small ones. */
const BUDGET = 8 * 1_048_576

interface Outcome {
  readonly held: { readonly field: string }
  readonly settlement: Settlement
}

interface Call {
  readonly keys: readonly string[]
  readonly args: readonly Argument[]
  /** Of the outcomes that are more than done, in the order in which they are answered. */
  readonly places: readonly number[]
}

export function exchangeArguments(
  {
    namespace,
    leaseMs,
    dead,
  }: { readonly namespace: string; readonly leaseMs: number; readonly dead: { readonly most: number; readonly forMs: number } },
  [ready]: readonly string[],
  incarnation: string,
  number: number,
  wish: { readonly max: number; readonly mayBeSuspect: boolean } | undefined,
  outcomes: readonly Outcome[],
): Call {
  const keys = [ready!],
    more: Argument[] = [],
    places: number[] = []
  let done = ''
  for (const [place, { held, settlement }] of outcomes.entries()) {
    const { field } = held
    const then = 'then' in settlement ? settlement.then : undefined
    if (settlement.kind === 'done' && (!then || then.length === 0)) {
      done = done === '' ? field : `${done} ${field}`
      continue
    }
    places.push(place)
    const followUps = then && then.length > 0 ? packFollowUps(then, namespace, keys) : ''
    switch (settlement.kind) {
      case 'done':
        more.push('done', field, '', '', followUps)
        break
      case 'retry':
        more.push('retry', field, Math.ceil(settlement.afterMs), bytesOf(settlement.body), '')
        break
      case 'release':
        more.push('release', field, Math.ceil(settlement.afterMs), '', '')
        break
      case 'dead':
        more.push('dead', field, settlement.reason, bytesOf(settlement.error), followUps)
        break
    }
  }
  const { max = 0, mayBeSuspect = false } = wish ?? {}
  return {
    keys,
    places,
    args: [incarnation, number, leaseMs, max, mayBeSuspect ? '1' : '0', BUDGET, dead.most, dead.forMs, done, ...more],
  }
}

/** The driver writes Buffers as they are. */
const bytesOf = (bytes: Uint8Array | undefined): Argument =>
  bytes === undefined ? '' : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** By queue, each named by the place of its key. */
function packFollowUps(then: readonly Envelope[], namespace: string, keys: string[]): Buffer {
  const groups = new Map<string, Envelope[]>()
  for (const envelope of then) {
    const group = groups.get(envelope.queue)
    if (group) group.push(envelope)
    else groups.set(envelope.queue, [envelope])
  }
  const parts: Buffer[] = []
  for (const [queue, envelopes] of groups) {
    const key = keysOf(namespace, queue).ready[0]
    if (!keys.includes(key)) keys.push(key)
    const records = packRecords(envelopes),
      head = Buffer.alloc(6)
    head.writeUInt16BE(keys.indexOf(key) + 1)
    head.writeUInt32BE(records.length, 2)
    parts.push(head, records)
  }
  return Buffer.concat(parts)
}

export interface Exchanged {
  /** A digit for each outcome that is more than done: '0' where its message was not held. */
  readonly results: string
  readonly taken: readonly Taken[]
  readonly more: boolean
  /** A suspect is there that it might not take. */
  readonly suspect: boolean
  /** Until something is due, or a lease lapses; Infinity when nothing will. */
  readonly nextMs: number
  readonly dropped: number
  readonly lapsed: readonly string[]
}

type Answer = readonly [
  word: Buffer,
  now: number,
  next: number,
  more: Buffer,
  dropped: number,
  results: Buffer,
  lapsed: Buffer,
  frames: readonly Buffer[],
]

export function readExchange(answer: unknown, number: number): Exchanged | 'FENCED' {
  const [word, now, next, more, dropped, results, lapsed, frames] = answer as Answer
  if (!accepted(word)) return 'FENCED'
  return {
    results: results.toString('latin1'),
    taken: frames.map((frame, i) => ({ field: `${number}.${i}`, frame: readFrame(frame) })),
    more: more[0] === ONE,
    suspect: more[1] === ONE,
    nextMs: next < 0 ? Infinity : next - now,
    dropped,
    lapsed: wordsIn(lapsed),
  }
}

export interface Reconciled {
  /** Fields that are held no more. */
  readonly gone: readonly string[]
  /** Held, and unknown until now. */
  readonly strays: readonly Taken[]
}

export function readReconciled(answer: unknown, fields: readonly string[]): Reconciled | 'FENCED' {
  const [word, , held, others] = answer as readonly [Buffer, number, Buffer, Buffer]
  if (!accepted(word)) return 'FENCED'
  const strays: Taken[] = []
  for (let at = 0; at < others.length;) {
    const name = at + 1 + others[at]!,
      end = name + 4 + others.readUInt32BE(name)
    strays.push({ field: others.toString('latin1', at + 1, name), frame: readFrame(others.subarray(name + 4, end)) })
    at = end
  }
  return { gone: fields.filter((_, i) => held[i] !== ONE), strays: strays.toSorted(byPlace) }
}

const ONE = 0x31

/** A number that was seen means that this consumer is not alone, or that an old call came late: the next number is tried. */
function accepted(word: Buffer): boolean {
  if (word.length === 2) return true
  if (word[0] === 0x53) throw new LinkError('unready', 'no', 'a later call of this consumer was seen')
  return false
}

const wordsIn = (words: Buffer): readonly string[] => (words.length === 0 ? [] : words.toString('latin1').split(' '))

/** In the order in which they were taken. */
function byPlace(one: Taken, other: Taken): number {
  const [trip, index] = one.field.split('.').map(Number) as [number, number],
    [otherTrip, otherIndex] = other.field.split('.').map(Number) as [number, number]
  return trip - otherTrip || index - otherIndex
}
