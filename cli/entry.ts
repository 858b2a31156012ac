/** One message as a person reads it, and as a program does. */
import type { Entry, Place } from '../lib/broker.ts'
import type { Encoder } from '../lib/encoder.ts'
import { GreenroomError } from '../lib/errors.ts'
import { decodeFailure, failureOf } from '../lib/failure.ts'
import type { Message } from '../lib/message.ts'
import { STATES } from '../lib/handle.ts'
import { PRIORITIES } from '../lib/message.ts'
import { errorText, isCrashLoop } from '../lib/problems.ts'
import { facts, jsonText, plural, prettyLines, relative, safe, timeText } from './text.ts'

/** The word of `state()` for a place; and what else should be known. */
export const placeText = (place: Place): string =>
  STATES[place] + (place === 'suspect' ? ', suspect: its workers died with it' : '')

/** The body, or why it is not one: in a sentence, and in a few words. */
export function decoded(
  entry: Entry,
  encoder: Encoder,
): { readonly message: Message } | { readonly reason: string; readonly inShort: string } {
  try {
    return { message: encoder.decode(entry.envelope.body) }
  } catch (error) {
    const reason = failureOf(error).message,
      inShort = error instanceof GreenroomError ? error.details?.['reason'] : undefined
    return { reason, inShort: typeof inShort === 'string' ? inShort : reason }
  }
}

export function entryLines(entry: Entry, encoder: Encoder, now: number): string[] {
  const {
    envelope: { id, queue, priority, attempt, body },
    place,
    deliveries,
    at,
    dueAt,
    reason,
  } = entry
  const content = decoded(entry, encoder),
    failure = decodeFailure(entry.error)
  const message = 'message' in content ? content.message : undefined
  return [
    ...facts([
      ['id', id],
      ['state', placeText(place) + (dueAt === undefined ? '' : `, due ${relative(dueAt, now)}`)],
      ['queue', queue],
      ...(message ? [['actor', message.actor] as const] : []),
      ['priority', PRIORITIES[priority]!],
      ['retries', `${attempt}, delivery ${deliveries}${isCrashLoop(reason) ? ', which did not run' : ''}`],
      ...(message ? [['sent', timeText(message.timestamp, now)] as const] : []),
      [place === 'dead' ? 'died' : 'stored', timeText(at, now)],
      ...(dueAt === undefined ? [] : [['due', timeText(dueAt, now)] as const]),
      ...(reason === undefined ? [] : [['reason', reason] as const]),
      ...(failure ? [['error', errorText(failure)] as const] : []),
    ]),
    ...(message ? [...block('options', message.options), ...block('args', message.args)] : []),
    ...('reason' in content ? ['body', `  ${safe(content.reason)}`, ...hexLines(body)] : []),
    ...(failure?.stack === undefined ? [] : ['stack', ...failure.stack.split('\n').map(line => `  ${safe(line)}`)]),
  ]
}

const block = (name: string, value: unknown): string[] => [name, ...prettyLines(value).map(line => `  ${line}`)]

/** @param withBody also where it can be read */
export function entryJson(entry: Entry, encoder: Encoder, { withBody = false }: { readonly withBody?: boolean } = {}): string {
  const {
    envelope: { id, queue, priority, attempt, body },
    place,
    deliveries,
    at,
    dueAt,
    reason,
  } = entry
  const content = decoded(entry, encoder),
    failure = decodeFailure(entry.error)
  const parts =
    'message' in content
      ? {
          actor: content.message.actor,
          args: content.message.args,
          options: content.message.options,
          timestamp: content.message.timestamp,
        }
      : { undecodable: content.reason }
  const bytes = withBody || 'reason' in content ? { bodyBase64: Buffer.from(body).toString('base64') } : {}
  return safe(
    jsonText({
      id,
      queue,
      state: STATES[place],
      place,
      priority: PRIORITIES[priority],
      attempt,
      deliveries,
      at,
      dueAt,
      reason,
      error: failure,
      ...parts,
      ...bytes,
    }),
  )
}

const ROW_BYTES = 16
const MOST_ROWS = 32

/** The first bytes of a body that nobody can read: hexadecimal, and the letters among them. */
function hexLines(body: Uint8Array): string[] {
  const lines: string[] = []
  for (let at = 0; at < body.length && lines.length < MOST_ROWS; at += ROW_BYTES) {
    const bytes = [...body.subarray(at, at + ROW_BYTES)]
    const hex = bytes.map(byte => byte.toString(16).padStart(2, '0')).join(' ')
    lines.push(
      `  ${hex.padEnd(ROW_BYTES * 3)} ${bytes.map(byte => (byte > 0x1f && byte < 0x7f ? String.fromCharCode(byte) : '.')).join('')}`,
    )
  }
  return [...lines, `  ${plural(body.length, 'byte')} in all`]
}
