/**
 * The names of all keys. All of one queue stand under one hash tag, `{namespace:queue}`, so that they lie in one slot of a Cluster and
 * queues spread over it. The tag of no queue, `{namespace:}`, holds what a namespace has once.
 *
 *   r0 r1 r2      lists of frames: what is ready, a list a band, taken in that order
 *   again         list of frames: suspects, their lease lapsed twice or more
 *   delayed(:b)   zset of members by due ms and a fraction for their order, hash of their frames
 *   leases        zset of incarnations by deadline ms
 *   leased:<inc>  hash of frames that an incarnation holds, by field; `#` is the number of its last call
 *   dead(:b)      zset of members by time of death likewise, hash of what became of them
 *   meta          hash: paused; holes:<list>, how many empty elements of a list are messages that were taken out of its middle
 *   tok:<call>    what a push answered, for one whose answer was lost
 *   once:<id>     this id was pushed with `once`
 *   onces         there as long as any of those may be
 *   wake          channel: something became takeable
 *
 * A member is the id of its message; where that one is taken, as two messages may have one id, the id, a space and something unique.
 */

/** Of one queue. */
export interface Keys {
  readonly tag: string
  readonly ready: readonly [string, string, string]
  readonly again: string
  readonly delayed: string
  readonly delayedBodies: string
  readonly leases: string
  readonly dead: string
  readonly deadBodies: string
  readonly meta: string
  /** A channel, not a key. */
  readonly wake: string
  leased(incarnation: string): string
  token(call: string): string
}

export function keysOf(namespace: string, queue: string): Keys {
  const tag = `{${namespace}:${queue}}:`
  return {
    tag,
    ready: [`${tag}r0`, `${tag}r1`, `${tag}r2`],
    again: `${tag}again`,
    delayed: `${tag}delayed`,
    delayedBodies: `${tag}delayed:b`,
    leases: `${tag}leases`,
    dead: `${tag}dead`,
    deadBodies: `${tag}dead:b`,
    meta: `${tag}meta`,
    wake: `${tag}wake`,
    leased: incarnation => `${tag}leased:${incarnation}`,
    token: call => `${tag}tok:${call}`,
  }
}

/** The set of the names of all queues that were ever opened here. */
export const queuesKey = (namespace: string): string => `{${namespace}:}:queues`
/** Held by whoever looks after queues that nobody serves. */
export const sweepKey = (namespace: string): string => `{${namespace}:}:sweep`
