/**
 * Stores messages: sends of one turn of the event loop travel in one batch, and each caller gets its own verdict.
 *
 *   submit -> (turn ends) -> send chain -> encode what was rewritten -> broker.push -> settle each
 *
 * What waits for a broker that does not answer is bounded in number and in time; while it answers, nothing is refused.
 */
import type { Broker, Envelope, Pushed } from './broker.ts'
import type { Clock } from './clock.ts'
import type { Encoder } from './encoder.ts'
import { GreenroomError } from './errors.ts'
import type { EventStream } from './events.ts'
import { BANDS } from './message.ts'
import type { Sending } from './middleware.ts'
import type { SendChain } from './send-chain.ts'

/** Messages in one push: large enough to share a trip, small enough for a transaction of some 2 ms. */
const BATCH = 512
/** A broker that has not answered for so long counts as away, and `maxPending` begins to count. */
const AWAY_MS = 1_000

/** Taken when the module loads: fake timers of test runners replace the global. */
const turnEnds = setImmediate

export type Verdict = { readonly stored: boolean; readonly by?: string } | { readonly failed: unknown }

export interface Pusher {
  /** Stores one message. `settle` is called exactly once, never before `submit` returned. */
  submit(sending: Sending, body: Uint8Array, settle: (verdict: Verdict) => void, signal?: AbortSignal): void
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
    const all = collecting
    collecting = []
    for (let from = 0; from < all.length; from += BATCH) {
      const flight = { since: clock.monotonic(), done: store(all.slice(from, from + BATCH)) }
      inFlight.add(flight)
      void flight.done.then(() => inFlight.delete(flight))
    }
  }

  /** Never rejects: every way out settles each message. */
  async function store(batch: readonly Pending[]): Promise<void> {
    const deadline = new AbortController()
    const timer = clock.after(sendTimeoutMs, () => {
      deadline.abort(
        new GreenroomError('BROKER_DOWN', `${broker.name} did not answer within ${sendTimeoutMs} ms`, {
          help: 'Is it running and reachable? The message may have been stored; send it again with the same id to be sure',
          retryable: true,
          stored: 'maybe',
        }),
      )
      for (const item of batch) give(item, { failed: deadline.signal.reason })
    })
    try {
      const toPush = sendChain ? await throughChain(batch) : batch
      if (toPush.length === 0) return
      const fresh = [...new Set(toPush.map(({ sending }) => sending.message.queue).filter(queue => !opened.has(queue)))]
      if (fresh.length > 0) {
        await broker.open(fresh, deadline.signal)
        fresh.forEach(queue => opened.add(queue))
      }
      const pushed = await broker.push(
        toPush.map(({ sending, body }) => envelopeOf(sending, body)),
        { signal: deadline.signal },
      )
      if (fresh.length > 0) firstSent(fresh)
      toPush.forEach((item, i) => give(item, verdictOf(pushed[i])))
    } catch (error) {
      for (const item of batch) give(item, { failed: error })
    } finally {
      timer.cancel()
    }
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
        give(item, { failed: verdict.refused })
        return false
      }
      if (verdict.sending.message !== item.sending.message) {
        try {
          item.body = encoder.encode(verdict.sending.message)
        } catch (failed) {
          give(item, { failed })
          return false
        }
      }
      item.sending = verdict.sending
      return true
    })
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
      const item: Pending = { sending, body, settle, gone: false }
      pending++
      if (signal) listen(item, signal, () => (collecting.includes(item) ? 'no' : 'maybe'))
      collecting.push(item)
      if (!scheduled) {
        scheduled = true
        turnEnds(flush)
      }
    },
    async idle() {
      while (collecting.length > 0 || inFlight.size > 0) {
        if (collecting.length > 0) flush()
        await Promise.all([...inFlight].map(({ done }) => done))
      }
    },
  }

  function listen(item: Pending, signal: AbortSignal, stored: () => 'no' | 'maybe'): void {
    const { settle } = item
    const stop = () => {
      const place = stored()
      if (place === 'no') collecting = collecting.filter(other => other !== item)
      give(item, { failed: aborted(signal, place) })
    }
    signal.addEventListener('abort', stop, { once: true })
    item.settle = verdict => {
      signal.removeEventListener('abort', stop)
      settle(verdict)
    }
  }
}

const aborted = (signal: AbortSignal, stored: 'no' | 'maybe') =>
  new GreenroomError('SEND_ABORTED', 'The signal given to with() was aborted', {
    help: stored === 'no' ? 'Nothing was stored' : 'The message may have been stored; send it again with the same id to be sure',
    stored,
    cause: signal.reason,
    retryable: true,
  })

const tooMany = (broker: Broker, maxPending: number) =>
  new GreenroomError('SEND_PENDING', `${maxPending} sends wait for ${broker.name}, which does not answer`, {
    help: 'Nothing was stored. Try again later, or raise maxPending',
    retryable: true,
    stored: 'no',
  })

export function envelopeOf({ message, priority, due, onceMs }: Sending, body: Uint8Array): Envelope {
  return {
    id: message.id,
    queue: message.queue,
    body,
    attempt: 0,
    priority: BANDS[priority],
    ...(due && { due }),
    ...(onceMs !== undefined && { onceMs }),
  }
}

function verdictOf(pushed: Pushed | undefined): Verdict {
  if (pushed === 'stored') return { stored: true }
  if (pushed === 'duplicate') return { stored: false }
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
