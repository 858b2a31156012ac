/**
 * In the keeper thread: renews the leases of this process's consumers while its event loop is blocked, on one connection a server. Which
 * incarnation of a consumer is renewed in which queue stands in memory that both sides share.
 */
import type { Renewal } from '../../lib/broker.ts'
import { systemClock } from '../../lib/clock.ts'
import { systemRandom } from '../../lib/ids.ts'
import { openLink } from './connect.ts'
import { keysOf } from './keys.ts'
import type { Link } from './link.ts'
import { PARAMETERS, readUrl } from './url.ts'

export interface KeeperData {
  readonly url: string
  readonly replyTimeoutMs: number
  readonly namespace: string
  readonly consumer: string
  readonly queues: readonly string[]
  /** By queue; 0 before the consumer joined there. */
  readonly epochs: Int32Array
  readonly leaseMs: number
}

/** Connections of this thread, with how many leases need each. */
const links = new Map<string, { readonly link: Link; users: number }>()
const nothing = () => {}

export function keep(data: unknown): Renewal {
  const { url, replyTimeoutMs, namespace, consumer, queues, epochs, leaseMs } = data as KeeperData
  let shared = links.get(url)
  if (!shared) {
    const log = { debug: nothing, info: nothing, warn: nothing, error: nothing } // what fails is thrown, and told by the thread
    links.set(
      url,
      (shared = {
        link: openLink({ url: readUrl(url, PARAMETERS).where, replyTimeoutMs, log, clock: systemClock, random: systemRandom }),
        users: 0,
      }),
    )
  }
  const held = shared
  held.users++
  return {
    async renew() {
      const { link } = held
      if (!link.isUp) await link.up(AbortSignal.timeout(replyTimeoutMs))
      const renewals = queues.map(async (queue, place) => {
        const epoch = Atomics.load(epochs, place)
        if (epoch > 0) await link.run('renew', [keysOf(namespace, queue).ready[0]], [`${consumer}.${epoch}`, leaseMs])
      })
      await Promise.all(renewals)
    },
    async [Symbol.asyncDispose]() {
      if (--held.users > 0) return
      links.delete(url)
      await held.link[Symbol.asyncDispose]()
    },
  }
}
