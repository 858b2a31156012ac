/**
 * One consumer's way to one queue: numbered calls, one at a time. What is to be settled and what a take wants travel together. A call
 * whose answer did not come leaves a doubt, which the next call clears before anything else (scripts/reconcile.lua):
 *
 *   EXCHANGE n -> answered             -> settled, delivered
 *              -> not answered         -> RECONCILE n+1 -> what is still held is settled again, the rest was; what nobody knew is delivered
 *              -> FENCED               -> all is lost, a new incarnation joins
 */
import type { Delivery, Settled, Settlement } from '../../lib/broker.ts'
import { type Clock, sleep, type Timer } from '../../lib/clock.ts'
import type { GreenroomError } from '../../lib/errors.ts'
import type { Random } from '../../lib/ids.ts'
import type { Logger } from '../../lib/log.ts'
import { exchangeArguments, readExchange, readReconciled, type Taken } from './exchange.ts'
import { failureOf, passes } from './errors.ts'
import { keysOf } from './keys.ts'
import { type Link, LinkError } from './link.ts'

/** A message that this consumer holds. */
export interface Held {
  readonly lane: Lane
  readonly field: string
  readonly token: string
  readonly isSuspect: boolean
  /** Somebody has said what becomes of it. */
  settling: boolean
}

/** What becomes of one message, and where its answer goes. */
export interface Staged {
  readonly held: Held
  readonly settlement: Settlement
  told(settled: Settled): void
}

export interface Lane {
  readonly queue: string
  /** Whether a take should ask now: something may be there. */
  wants(now: number, mayBeSuspect: boolean): boolean
  /** A suspect waits there that this consumer might not take, as it held one. */
  readonly seesSuspect: boolean
  /** When it does at the latest, by the monotonic clock. */
  readonly askAt: number
  /** Why it cannot be asked now. */
  readonly failure: GreenroomError | undefined
  settle(staged: Staged): void
  /** Rejects when the call failed. Its deliveries may come later then, as strays. */
  take(max: number, mayBeSuspect: boolean): Promise<readonly Delivery[]>
  /** Something may have become takeable. */
  woken(): void
  /** Settles what was staged, then gives back what it holds. */
  leave(): Promise<void>
  /** For tests: asks for nothing by itself, until it is asked again. */
  standStill(): void
}

export interface LaneParts {
  readonly link: Link
  readonly namespace: string
  readonly queue: string
  /** Of the consumer, unique. */
  readonly consumer: string
  readonly leaseMs: number
  readonly dead: { readonly most: number; readonly forMs: number }
  /** Of the consumer's waits. */
  readonly clock: Clock
  /** Of waits on the network. */
  readonly network: Clock
  readonly random: Random
  readonly log: Logger
  hold(held: Held): void
  letGo(held: Held): void
  lost(tokens: readonly string[]): void
  /** The keeper thread renews this incarnation from now on. */
  joined(epoch: number): void
  /** There may be something to take, or to wait for. */
  changed(): void
  stray(deliveries: readonly Delivery[]): void
  dropped(queue: string, count: number): void
}

/** Each queue is asked so often even when nothing woke it, ms: a wake may be lost. With up to half as much again at random. */
const ASK_MS = 5_000
/** Settlements in one call. */
const MOST_SETTLED = 1_000
/** Messages that one call puts back. */
const MOST_BACK = 256
const AGAIN_MIN_MS = 50,
  AGAIN_MAX_MS = 500
/** Who leaves waits so long for a server that went away. */
const LEAVING_MS = 1_000

interface Wish {
  readonly max: number
  readonly mayBeSuspect: boolean
  resolve(deliveries: readonly Delivery[]): void
  reject(error: unknown): void
}

export function createLane(parts: LaneParts): Lane {
  const { link, queue, consumer, leaseMs, clock, network, random } = parts
  const { ready } = keysOf(parts.namespace, queue),
    key = [ready[0]]
  const held = new Map<string, Held>()
  const leaving = new AbortController()
  let epoch = 1,
    number = 0,
    staged: Staged[] = [],
    /** Under way when the answer was lost. */
    unsure: Staged[] = [],
    wish: Wish | undefined,
    /** The wish that travels. */
    asking: Wish | undefined
  let hasJoined = false,
    isBusy = false,
    isScheduled = false,
    isInDoubt = false,
    asks = true,
    isDue = false,
    pulse: Timer | undefined,
    seesSuspect = false,
    askAt = 0,
    reaping = false,
    failure: GreenroomError | undefined,
    idle: (() => void) | undefined

  const incarnation = () => `${consumer}.${epoch}`
  const self: Lane = {
    queue,
    get askAt() {
      return askAt
    },
    get seesSuspect() {
      return seesSuspect
    },
    get failure() {
      return failure
    },
    wants: (now, mayBeSuspect) => !failure && (asks || now >= askAt || (seesSuspect && mayBeSuspect)),
    settle(item) {
      staged.push(item)
      schedule()
    },
    take: (max, mayBeSuspect) =>
      new Promise((resolve, reject) => {
        wish = { max, mayBeSuspect, resolve, reject }
        schedule()
      }),
    woken() {
      asks = true
      parts.changed()
    },
    async leave() {
      leaving.abort()
      self.standStill()
      if (isBusy || isScheduled) await new Promise<void>(resolve => (idle = resolve))
      for (const item of [...unsure, ...staged]) finish(item, 'lost') // nobody answered: what was not done is given back
      unsure = []
      staged = []
      if (number > 0) await giveAllBack()
    },
    standStill() {
      pulse?.cancel()
      pulse = undefined
    },
  }

  /** When all that this tick has to do is done: the take that follows a settlement a few promises later travels along. */
  function schedule(): void {
    if (isScheduled || isBusy) return
    isScheduled = true
    queueMicrotask(() => process.nextTick(begin))
  }
  function begin(): void {
    isScheduled = false
    void run()
  }

  async function run(): Promise<void> {
    isBusy = true
    for (let failures = 0; staged.length > 0 || wish || isInDoubt || isDue;) {
      try {
        if (isInDoubt) await reconcile()
        else await exchange()
        failures = 0
        failure = undefined
      } catch (error) {
        isInDoubt = true
        failure = failureOf(error, link.name)
        asking?.reject(failure)
        wish?.reject(failure)
        asking = wish = undefined
        if (!leaving.signal.aborted) await again(failures++)
        if (leaving.signal.aborted) break
      }
    }
    isBusy = false
    idle?.()
    parts.changed()
  }

  /** At once when the connection is back; a little later where that is not what is wrong. */
  async function again(failures: number): Promise<void> {
    const ms = Math.min(AGAIN_MAX_MS, AGAIN_MIN_MS * 2 ** Math.min(failures, 5)) * (0.5 + random() / 2)
    const { signal } = leaving
    const ready =
      link.isUp || failures > 0 ? sleep(network, ms, { signal, ref: false }).then(() => link.up(signal)) : link.up(signal)
    await ready.catch(() => {}) // the next call says why not
  }

  async function exchange(): Promise<void> {
    const asked = (asking = wish)
    wish = undefined
    isDue = false
    if (staged.length <= MOST_SETTLED) {
      unsure = staged
      staged = []
    } else unsure = staged.splice(0, MOST_SETTLED)
    if (asked) asks = seesSuspect = false
    const { keys, args, places } = exchangeArguments(parts, key, incarnation(), ++number, asked, unsure)
    const answer = readExchange(await link.run('exchange', keys, args), number)
    if (answer === 'FENCED') {
      asking = undefined
      wish ??= asked // the new incarnation asks for it
      return fence()
    }
    places.forEach((place, i) => {
      if (answer.results[i] === '0') finish(unsure[place]!, 'lost')
    })
    for (const item of unsure) if (held.has(item.held.field)) finish(item, 'ok')
    unsure = []
    join()
    if (answer.dropped > 0) parts.dropped(queue, answer.dropped)
    if (answer.lapsed.length > 0 && !reaping) void reap(answer.lapsed)
    if (!asked) return
    asking = undefined
    const now = clock.monotonic()
    if (answer.more) asks = true
    seesSuspect = answer.suspect
    askAt = now + Math.min(answer.nextMs, ASK_MS * (1 + random() / 2))
    asked.resolve(deliver(answer.taken))
  }

  async function reconcile(): Promise<void> {
    const fields = [...held.keys()]
    const args = [incarnation(), ++number, leaseMs, fields.join(' '), hasJoined ? '0' : '1']
    const answer = readReconciled(await link.run('reconcile', key, args), fields)
    if (answer === 'FENCED') return fence()
    isInDoubt = false
    join()
    const unanswered = new Map(unsure.map(item => [item.held, item]))
    unsure = []
    const lost: string[] = []
    for (const field of answer.gone) {
      const one = held.get(field)!,
        item = unanswered.get(one)
      if (item) finish(item, 'ok')
      else {
        drop(one)
        lost.push(one.token)
      }
    }
    staged = [...[...unanswered.values()].filter(({ held: { field } }) => held.has(field)), ...staged]
    if (lost.length > 0) parts.lost(lost)
    asks = true
    if (answer.strays.length > 0) parts.stray(deliver(answer.strays))
    parts.changed()
  }

  /** A first answer: the lease is there. */
  function join(): void {
    if (hasJoined) return
    hasJoined = true
    parts.joined(epoch)
  }
  /** Others have what it held, or will. */
  function fence(): void {
    isInDoubt = hasJoined = false
    epoch++
    number = 0
    const lost = [...held.values()]
    for (const item of [...unsure, ...staged]) finish(item, 'lost')
    unsure = []
    staged = []
    for (const one of lost) drop(one)
    asks = true
    if (lost.length > 0) parts.lost(lost.map(({ token }) => token))
  }

  /** A worker whose handlers all run asks for nothing: it would not hear that others have what it holds. */
  function beat(): void {
    pulse = undefined
    if (held.size === 0 || leaving.signal.aborted) return
    isDue = true
    schedule()
    watch()
  }
  function watch(): void {
    pulse ??= clock.after(leaseMs / 3, beat, { ref: false })
  }

  function deliver(taken: readonly Taken[]): readonly Delivery[] {
    if (taken.length > 0) watch()
    return taken.map(({ field, frame: { id, body, attempt, band, lapses } }) => {
      const token = `${incarnation()}/${queue}/${field}`
      const one: Held = { lane: self, field, token, isSuspect: lapses >= 2, settling: false }
      held.set(field, one)
      parts.hold(one)
      return { envelope: { id, queue, body, attempt, priority: band }, token, deliveries: lapses + 1 }
    })
  }
  function finish({ held: one, told }: Staged, settled: Settled): void {
    drop(one)
    told(settled)
  }
  function drop(one: Held): void {
    if (held.get(one.field) === one) held.delete(one.field)
    parts.letGo(one)
  }

  async function giveBack(incarnation: string, isLapsed: boolean): Promise<void> {
    while (Number(await link.run('giveback', key, [incarnation, MOST_BACK, isLapsed ? '1' : '0'])) > 0);
  }
  /** Who leaves cannot come back to it: a connection that broke is waited for a while. Otherwise the lease ends by itself. */
  async function giveAllBack(): Promise<void> {
    const patience = new AbortController(),
      { signal } = patience,
      timer = network.after(LEAVING_MS, () => patience.abort())
    try {
      for (;;) {
        try {
          return await giveBack(incarnation(), false)
        } catch (error) {
          if (!(error instanceof LinkError && passes(error.why))) throw error
          await (link.isUp ? sleep(network, AGAIN_MIN_MS, { signal }) : link.up(signal))
        }
      }
    } finally {
      timer.cancel()
    }
  }
  async function reap(incarnations: readonly string[]): Promise<void> {
    reaping = true
    try {
      for (const one of incarnations) await giveBack(one, true)
      self.woken()
    } catch {
      // The next call reports them again.
    } finally {
      reaping = false
    }
  }
  return self
}
