/**
 * Stores messages: sends of one turn of the event loop travel in one batch, and each caller gets its own verdict.
 *
 *   submit -> (turn ends) -> send chain -> encode what was rewritten -> broker.push -> settle each
 *
 * What waits for a broker that does not answer is bounded in number and in time; while it answers, nothing is refused.
 */
import type { Broker, Envelope, Pushed } from './broker.ts'
import { type Clock, within } from './clock.ts'
import type { Encoder } from './encoder.ts'
import { GreenroomError, notStored } from './errors.ts'
import type { EventStream } from './events.ts'
import { failpoint } from './failpoint.ts'
import { BANDS } from './message.ts'
import type { Sending } from './middleware.ts'
import { onAbort } from './on-abort.ts'
import type { SendChain } from './send-chain.ts'
import { checkMessage } from './sending.ts'

/** Messages in one push: large enough to share a trip, small enough for a transaction of some 2 ms. */
const BATCH = 512
/** A broker that has not answered for so long counts as away, and `maxPending` begins to count. */
export const AWAY_MS = 1_000

/** Taken when the module loads: fake timers of test runners replace the global. */
const turnEnds = setImmediate

export type Verdict = { readonly stored: boolean; readonly by?: string } | { readonly failed: unknown }

export interface Pusher {
  /** Stores one message. `settle` is called exactly once. */
  submit(sending: Sending, body: Uint8Array, settle: (verdict: Verdict) => void, signal?: AbortSignal): void
  /** Opens queues that nothing was pushed to yet. Says which. */
  ready(queues: Iterable<string>): Promise<readonly string[]>
  /** Resolves when everything that was submitted so far has its verdict. */
  idle(): Promise<void>
}

export interface PusherParts {
  readonly broker: Broker
  readonly sendChain: SendChain | undefined
  readonly encoder: Encoder
  readonly events: EventStream
  readonly clock: Clock
  readonly sendTimeoutMs: number
  readonly maxPending: number
  /** Told of queues after the first push to them. */
  firstSent(queues: readonly string[]): void
}

interface Pending {
  sending: Sending
  body: Uint8Array
  settle: (verdict: Verdict) => void
  /** On its way to the broker. */
  left: boolean
  /** Has its verdict. */
  gone: boolean
}

export function createPusher({
  broker,
  sendChain,
  encoder,
  events,
  clock,
  sendTimeoutMs,
  maxPending,
  firstSent,
}: PusherParts): Pusher {
  let collecting: Pending[] = [],
    pending = 0,
    scheduled = false
  const inFlight = new Set<{ readonly since: number; readonly done: Promise<void> }>()
  const opened = new Set<string>()

  const flush = () => {
    scheduled = false
    const all = collecting.filter(({ gone }) => !gone)
    collecting = []
    for (const item of all) item.left = true
    for (let from = 0; from < all.length; from += BATCH) {
      const flight = { since: clock.monotonic(), done: store(all.slice(from, from + BATCH)) }
      inFlight.add(flight)
      void flight.done.then(() => inFlight.delete(flight))
    }
  }

  /** Never rejects: every way out settles each message. The chain has deadlines of its own; this one is the broker's. */
  async function store(batch: readonly Pending[]): Promise<void> {
    const gaveUp = new AbortController(),
      options = {
        // Made when a broker asks for it: it costs a sender who awaits each message a twentieth.
        get signal() {
          return gaveUp.signal
        },
      }
    let reached = false,
      failed: GreenroomError | undefined
    const push = async (toPush: readonly Pending[]) => {
      const fresh = await ready(queuesOf(toPush), options)
      if (failed) throw failed // it answered too late: nothing that its sender was told is not stored may be
      reached = true
      failpoint?.('before-push')
      const pushed = await broker.push(
        toPush.map(({ sending, body }) => envelopeOf(sending, body)),
        options,
      )
      failpoint?.('after-push')
      if (fresh.length > 0) firstSent(fresh)
      return pushed
    }
    const late = () => {
      failed = tooLate(broker, sendTimeoutMs, reached ? 'maybe' : 'no')
      gaveUp.abort(failed)
      return failed
    }
    try {
      const passed = sendChain ? await throughChain(batch) : batch
      if (!broker.capabilities.once) refuseOnce(passed)
      const toPush = passed.some(({ gone }) => gone) ? passed.filter(({ gone }) => !gone) : passed
      if (toPush.length === 0) return
      const pushed = await within(push(toPush), sendTimeoutMs, clock, late)
      toPush.forEach((item, i) => give(item, verdictOf(pushed[i])))
    } catch (error) {
      for (const item of batch) give(item, { failed: error })
    }
  }

  /** Opens queues at the first push to them; says which were new. */
  async function ready(queues: Iterable<string>, options?: { readonly signal: AbortSignal }): Promise<readonly string[]> {
    const fresh = [...queues].filter(queue => !opened.has(queue))
    if (fresh.length === 0) return fresh
    await broker.open(fresh, options?.signal)
    for (const queue of fresh) opened.add(queue)
    return fresh
  }

  async function throughChain(batch: readonly Pending[]): Promise<readonly Pending[]> {
    const passed = await sendChain!(batch.map(({ sending }) => sending))
    return batch.filter((item, i) => {
      const verdict = passed[i]!
      if ('skippedBy' in verdict) {
        give(item, { stored: false, by: verdict.skippedBy })
        return false
      }
      if ('refused' in verdict) {
        give(item, { failed: notStored(verdict.refused) })
        return false
      }
      if (verdict.sending.message !== item.sending.message) {
        try {
          item.body = encoder.encode(checkMessage(verdict.sending.message))
        } catch (failed) {
          give(item, { failed: notStored(failed) })
          return false
        }
      }
      item.sending = verdict.sending
      return true
    })
  }

  function refuseOnce(batch: readonly Pending[]): void {
    for (const item of batch) if (item.sending.onceMs !== undefined) give(item, { failed: forgetful(broker) })
  }

  function give(item: Pending, verdict: Verdict): void {
    if (item.gone) return
    item.gone = true
    pending--
    if ('stored' in verdict && events.watched('sent')) events.emit('sent', { message: item.sending.message, ...verdict })
    item.settle(verdict)
  }

  /** The oldest flight tells whether the broker answers. */
  const away = () => {
    for (const { since } of inFlight) return clock.monotonic() - since > AWAY_MS
    return false
  }

  return {
    submit(sending, body, settle, signal) {
      if (signal?.aborted) return settle({ failed: aborted(signal, 'no') })
      if (pending >= maxPending && away()) return settle({ failed: tooMany(broker, maxPending) })
      const item: Pending = { sending, body, settle, left: false, gone: false }
      pending++
      if (signal) listen(item, signal)
      collecting.push(item)
      if (!scheduled) {
        scheduled = true
        turnEnds(flush)
      }
    },
    ready: queues => ready(queues),
    async idle() {
      while (collecting.length > 0 || inFlight.size > 0) {
        if (collecting.length > 0) flush()
        await Promise.all([...inFlight].map(({ done }) => done))
      }
    },
  }

  function listen(item: Pending, signal: AbortSignal): void {
    const { settle } = item
    const stop = () => {
      const place = item.left ? 'maybe' : 'no'
      give(item, { failed: aborted(signal, place) })
    }
    const listenNoMore = onAbort(signal, stop)
    item.settle = verdict => {
      listenNoMore()
      settle(verdict)
    }
  }
}

export const aborted = (signal: AbortSignal, stored: 'no' | 'maybe') =>
  new GreenroomError('SEND_ABORTED', 'The signal given to with() was aborted', {
    help: stored === 'no' ? 'Nothing was stored' : 'The message may have been stored; send it again with the same id to be sure',
    stored,
    cause: signal.reason,
    retryable: true,
  })

const queuesOf = (batch: readonly Pending[]) => new Set(batch.map(({ sending }) => sending.message.queue))

export const tooLate = ({ name }: { readonly name: string }, timeoutMs: number, stored: 'no' | 'maybe') =>
  new GreenroomError('BROKER_DOWN', `${name} did not answer within ${timeoutMs} ms`, {
    help:
      stored === 'no'
        ? 'Is it running and reachable? Nothing was stored'
        : 'Is it running and reachable? The message may have been stored; send it again with the same id to be sure',
    retryable: true,
    stored,
  })

export const tooMany = ({ name }: { readonly name: string }, maxPending: number) =>
  new GreenroomError('SEND_PENDING', `${maxPending} sends wait for ${name}, which does not answer`, {
    help: 'Nothing was stored. Try again later, or raise maxPending',
    retryable: true,
    stored: 'no',
  })

const forgetful = ({ name }: { readonly name: string }) =>
  new GreenroomError('BROKER_UNSUPPORTED', `${name} cannot remember an id once its message is gone`, {
    help: 'Leave `once` out, or use a broker that can (docs/brokers.md); or let the handler see that its work is done',
    stored: 'no',
  })

export function envelopeOf({ message, priority, due, onceMs }: Sending, body: Uint8Array): Envelope {
  const { id, queue } = message
  const envelope: Envelope = { id, queue, body, attempt: 0, priority: BANDS[priority] }
  return due === undefined && onceMs === undefined
    ? envelope
    : { ...envelope, ...(due && { due }), ...(onceMs !== undefined && { onceMs }) }
}

const STORED: Verdict = { stored: true },
  DUPLICATE: Verdict = { stored: false }

/** A thread's parent says more than a broker: its send chain may have skipped a message. */
export interface SkippedBy {
  readonly skippedBy: string
}

function verdictOf(pushed: Pushed | SkippedBy | undefined): Verdict {
  if (typeof pushed === 'object' && 'skippedBy' in pushed) return { stored: false, by: pushed.skippedBy }
  if (pushed === 'stored') return STORED
  if (pushed === 'duplicate') return DUPLICATE
  return {
    failed:
      pushed ??
      new GreenroomError('BROKER_INVALID', 'The broker gave no verdict for a message', {
        help: 'Its push() must answer one for each; run the conformance suite on it',
        stored: 'maybe',
      }),
  }
}

/** For services and follow-ups: verdicts in the broker's own words. */
export function pushedOf(verdict: Verdict): Pushed {
  if ('stored' in verdict) return verdict.stored ? 'stored' : 'duplicate'
  return verdict.failed instanceof GreenroomError
    ? verdict.failed
    : new GreenroomError('SEND_REFUSED', 'The message was refused', { help: 'See error.cause', cause: verdict.failed })
}
