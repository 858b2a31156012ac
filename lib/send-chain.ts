/**
 * The send chain: each middleware's `send` maps the batch, outermost first. What one throws refuses only the messages that
 * it refuses: a batch holds messages of unrelated callers, so after a throw each message goes through alone.
 */
import { type Clock, within } from './clock.ts'
import { GreenroomError } from './errors.ts'
import { misuse } from './layers.ts'
import type { AnyMiddleware, Sending, Services } from './middleware.ts'

/** What became of one message: goes on (maybe rewritten), left out by a middleware, or refused. */
export type Passed = { readonly sending: Sending } | { readonly skippedBy: string } | { readonly refused: unknown }

/** One verdict a message, in order; never rejects. Undefined when no middleware has a `send`: then nothing needs to be asked. */
export type SendChain = (batch: readonly Sending[]) => Promise<readonly Passed[]>

export function composeSend(
  chain: readonly AnyMiddleware[],
  services: Services,
  clock: Clock,
  timeoutMs: number,
): SendChain | undefined {
  const hooks = chain.filter(({ send }) => send)
  if (hooks.length === 0) return undefined
  return async batch => {
    let passed: readonly Passed[] = batch.map(sending => ({ sending }))
    for (const hook of hooks) passed = await through(hook, passed, services, clock, timeoutMs)
    return passed
  }
}

async function through(
  hook: AnyMiddleware,
  passed: readonly Passed[],
  services: Services,
  clock: Clock,
  timeoutMs: number,
): Promise<readonly Passed[]> {
  const batch = passed.flatMap(item => ('sending' in item ? [item.sending] : []))
  if (batch.length === 0) return passed
  const answers = await answersOf(hook, batch, services, clock, timeoutMs)
  let next = 0
  return passed.map(item => ('sending' in item ? answers[next++]! : item))
}

/** One answer a message, in order. Messages of one id (ids are unique in a queue only) cannot be told apart in one batch. */
async function answersOf(
  hook: AnyMiddleware,
  batch: readonly Sending[],
  services: Services,
  clock: Clock,
  timeoutMs: number,
): Promise<readonly Passed[]> {
  const ids = new Set(batch.map(({ message }) => message.id))
  if (ids.size === batch.length) {
    try {
      return await call(hook, batch, services, clock, timeoutMs)
    } catch (refused) {
      // One that does not answer would not answer the others either, each for as long.
      if (batch.length === 1 || isLate(refused)) return batch.map(() => ({ refused }))
    }
  }
  const answers: Passed[] = []
  for (const sending of batch) {
    const before = answers.at(-1)
    if (before && 'refused' in before && isLate(before.refused)) answers.push(before)
    else answers.push(...(await answersOf(hook, [sending], services, clock, timeoutMs)))
  }
  return answers
}

async function call(
  { name, send }: AnyMiddleware,
  batch: readonly Sending[],
  services: Services,
  clock: Clock,
  timeoutMs: number,
): Promise<readonly Passed[]> {
  const given = send!(batch, services)
  const back = given instanceof Promise ? await within(given, timeoutMs, clock, () => late(name, timeoutMs)) : given
  if (!Array.isArray(back)) throw misuse(name, 'did not return a list from send()', 'Return the batch, or a part of it')
  const ids = new Set(batch.map(({ message }) => message.id)),
    kept = new Map<string, Sending>()
  for (const sending of back as readonly Sending[]) {
    const id = sending?.message?.id
    if (!ids.has(id))
      throw misuse(
        name,
        'returned a message from send() that it was not given',
        'Keep the ids; send new messages with services.push()',
      )
    kept.set(id, sending)
  }
  return batch.map(({ message }) => {
    const sending = kept.get(message.id)
    return sending ? { sending } : { skippedBy: name }
  })
}

const late = (name: string, timeoutMs: number) =>
  new GreenroomError('MIDDLEWARE_FAILED', `The middleware ${name} did not answer in send() within ${timeoutMs} ms`, {
    help: 'Give its own I/O a shorter deadline; nothing was stored',
    retryable: true,
    stored: 'no',
    details: { middleware: name, timeoutMs },
  })
const isLate = (error: unknown): boolean => error instanceof GreenroomError && error.details?.['timeoutMs'] !== undefined
