/**
 * The send chain: each middleware's `send` maps the batch, outermost first. What one throws refuses only the messages that
 * it refuses: a batch holds messages of unrelated callers, so after a throw each message goes through alone.
 */
import { type Clock, sleep } from './clock.ts'
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
  const kept = await call(hook, batch, services, clock, timeoutMs).catch(error =>
    batch.length === 1 ? (error as unknown) : oneByOne(hook, batch, services, clock, timeoutMs),
  )
  return passed.map(item => {
    if (!('sending' in item)) return item
    if (!(kept instanceof Map)) return { refused: kept }
    return (kept as Map<string, Passed>).get(item.sending.message.id) ?? { skippedBy: hook.name }
  })
}

/** The messages that the middleware returned, by id. */
async function call(
  { name, send }: AnyMiddleware,
  batch: readonly Sending[],
  services: Services,
  clock: Clock,
  timeoutMs: number,
): Promise<Map<string, Passed>> {
  const given = send!(batch, services)
  const back = given instanceof Promise ? await deadline(given, name, clock, timeoutMs) : given
  if (!Array.isArray(back)) throw misuse(name, 'did not return a list from send()', 'Return the batch, or a part of it')
  const ids = new Set(batch.map(({ message }) => message.id)),
    kept = new Map<string, Passed>()
  for (const sending of back as readonly Sending[]) {
    const id = sending?.message?.id
    if (!ids.has(id))
      throw misuse(
        name,
        'returned a message from send() that it was not given',
        'Keep the ids; send new messages with services.push()',
      )
    kept.set(id, { sending })
  }
  return kept
}

async function oneByOne(
  hook: AnyMiddleware,
  batch: readonly Sending[],
  services: Services,
  clock: Clock,
  timeoutMs: number,
): Promise<Map<string, Passed>> {
  const kept = new Map<string, Passed>()
  for (const sending of batch) {
    try {
      for (const [id, passed] of await call(hook, [sending], services, clock, timeoutMs)) kept.set(id, passed)
    } catch (refused) {
      kept.set(sending.message.id, { refused })
    }
  }
  return kept
}

async function deadline<T>(promise: Promise<T>, name: string, clock: Clock, timeoutMs: number): Promise<T> {
  const given = new AbortController()
  const late = sleep(clock, timeoutMs, { signal: given.signal }).then(() => {
    throw misuse(name, `did not answer in send() within ${timeoutMs} ms`, 'Give its own I/O a shorter deadline')
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    given.abort()
    late.catch(() => {})
  }
}
