/**
 * Pushes: one call of one script a queue and batch. A call whose answer was lost is made again with the same token and number, so
 * that it stores exactly once (scripts/push.lua). A process has as many tokens a queue as calls at once, and uses each again.
 */
import type { Envelope, Pushed } from '../../lib/broker.ts'
import { type Clock, sleep } from '../../lib/clock.ts'
import type { GreenroomError } from '../../lib/errors.ts'
import { refusal } from '../../lib/refusal.ts'
import { failureOf, passes } from './errors.ts'
import { keysOf, type Keys } from './keys.ts'
import { type Link, LinkError } from './link.ts'
import { packRecords } from './records.ts'

/** In one call, so that none blocks the server for long. */
const MOST_MESSAGES = 1_000,
  MOST_BYTES = 4 * 1_048_576
/** Between two tries while the server is there and does not serve. */
const AGAIN_MS = 50
const DUPLICATE = 0x30

/** Used by one call at a time. */
interface Token {
  readonly key: string
  calls: number
}
interface Target {
  readonly keys: Keys
  readonly free: Token[]
  made: number
}

/** The signal is looked at when a try has failed: to make one costs something. */
export type Push = (batch: readonly Envelope[], options: { readonly signal?: AbortSignal }) => Promise<readonly Pushed[]>

export interface PushParts {
  readonly link: Link
  readonly namespace: string
  /** Of this broker in this process; no other has it. */
  readonly id: string
  /** For waits on the network. */
  readonly clock: Clock
  /** Resolves when what was written before is where it must be, too. */
  readonly replicated?: (() => Promise<void>) | undefined
}

export function createPush({ link, namespace, id, clock, replicated }: PushParts): Push {
  const targets = new Map<string, Target>()
  const targetOf = (queue: string): Target => {
    let target = targets.get(queue)
    if (!target) targets.set(queue, (target = { keys: keysOf(namespace, queue), free: [], made: 0 }))
    return target
  }

  /** Makes the call until it is answered. Rejects with what it ended in: 'no' only when no try of it can have been done. */
  async function call(target: Target, records: Buffer, options: { readonly signal?: AbortSignal }): Promise<Buffer> {
    const token = target.free.pop() ?? { key: `${id}:${target.made++}`, calls: 0 },
      number = ++token.calls
    let failed: LinkError | undefined
    const fail = ({ why, ran, message }: LinkError) => new LinkError(why, failed?.ran === 'maybe' ? 'maybe' : ran, message)
    try {
      for (;;) {
        try {
          const answer = await link.run('push', [target.keys.ready[0]], [token.key, number, records])
          if (answer === null) throw new LinkError('broken', 'maybe', 'a later call was made with this token')
          await replicated?.()
          return answer as Buffer
        } catch (error) {
          if (!(error instanceof LinkError)) throw error
          failed = fail(error)
          if (!passes(error.why) || options.signal?.aborted) throw failed
        }
        await again(options.signal).catch((error: unknown) => {
          throw error instanceof LinkError ? fail(error) : failed // it is closed or denied for good; or the caller has gone
        })
      }
    } finally {
      target.free.push(token)
    }
  }

  const again = (signal: AbortSignal | undefined) =>
    link.isUp ? sleep(clock, AGAIN_MS, signal ? { signal } : {}) : link.up(signal)

  async function store(
    queue: string,
    batch: readonly Envelope[],
    options: { readonly signal?: AbortSignal },
  ): Promise<readonly Pushed[]> {
    try {
      const verdicts = await call(targetOf(queue), packRecords(batch), options)
      return batch.map((_, i) => (verdicts[i] === DUPLICATE ? 'duplicate' : 'stored'))
    } catch (error) {
      const failed: GreenroomError = failureOf(error, link.name)
      return batch.map(() => failed)
    }
  }

  return async (batch, options) => {
    const answers: Pushed[] = Array.from({ length: batch.length })
    const calls: Promise<void>[] = []
    const send = async (queue: string, places: readonly number[]) => {
      const part = places.length === batch.length ? batch : places.map(place => batch[place]!)
      const verdicts = await store(queue, part, options)
      for (let i = 0; i < places.length; i++) answers[places[i]!] = verdicts[i]!
    }
    const groups = new Map<string, { places: number[]; bytes: number }>()
    for (const [place, envelope] of batch.entries()) {
      const error = refusal(envelope)
      if (error) {
        answers[place] = error
        continue
      }
      const { queue, body } = envelope
      let group = groups.get(queue)
      if (group && (group.places.length === MOST_MESSAGES || group.bytes + body.length > MOST_BYTES)) {
        calls.push(send(queue, group.places))
        group = undefined
      }
      if (!group) groups.set(queue, (group = { places: [], bytes: 0 }))
      group.places.push(place)
      group.bytes += body.length
    }
    for (const [queue, { places }] of groups) calls.push(send(queue, places))
    await Promise.all(calls)
    return answers
  }
}
