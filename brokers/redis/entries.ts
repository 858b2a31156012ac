/**
 * What a list, a hash of the delayed or a dead letter holds, as an inspector shows it. What somebody else wrote there is shown too, under a
 * name made of its bytes and with all of them as its body: it counts, and the worker that takes it buries it.
 */
import type { Entry, Place } from '../../lib/broker.ts'
import { isId } from '../../lib/names.ts'
import { readFrame } from './frame.ts'

const LETTER_HEAD = 6

export function entryOf(queue: string, place: Place, frame: Buffer): Entry {
  const { id, body, attempt, band, lapses, since } = readFrame(frame)
  const envelope = { id, queue, body: new Uint8Array(body), attempt, priority: band }
  return { envelope, place, deliveries: lapses + 1, at: since }
}

/** @param score the time in whole ms, and a fraction that keeps the order of those of one ms */
export function delayedEntry(queue: string, member: Buffer, score: Buffer, frame: Buffer, now = -Infinity): Entry {
  const dueAt = Math.floor(Number(score))
  const entry = named(entryOf(queue, dueAt <= now ? 'ready' : 'delayed', frame), member)
  return dueAt <= now ? { ...entry, at: dueAt } : { ...entry, dueAt }
}

export function deadEntry(queue: string, member: Buffer, score: Buffer, letter: Buffer): Entry {
  const reason = LETTER_HEAD + (letter.length < LETTER_HEAD ? 0 : letter.readUInt16BE(0)),
    error = reason + (letter.length < LETTER_HEAD ? 0 : letter.readUInt32BE(2))
  const entry = named(entryOf(queue, 'dead', error < letter.length ? letter.subarray(error) : letter), member)
  return {
    ...entry,
    at: Math.floor(Number(score)),
    ...(error < letter.length && { reason: letter.toString('utf8', LETTER_HEAD, reason) }),
    ...(error < letter.length && error > reason && { error: new Uint8Array(letter.subarray(reason, error)) }),
  }
}

/** The id that a member stands for: all before a space. */
export const idOfMember = (member: Buffer): string => member.toString('latin1').split(' ', 1)[0]!

/** By the name under which it is found again. */
function named(entry: Entry, member: Buffer): Entry {
  const id = idOfMember(member)
  return id === entry.envelope.id || !isId(id) ? entry : { ...entry, envelope: { ...entry.envelope, id } }
}
