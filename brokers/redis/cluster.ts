/**
 * A Link to a Redis Cluster: one connection for commands to each master, one that listens to those that have channels. Who has which slot
 * is asked again when a node says that it is another one, or cannot be reached; what a node sent on was not run there, and is sent to the
 * node that it named.
 */
import { closedByUs, isFinal, refused } from './failures.ts'
import type { Dial } from './dial.ts'
import { type Ears, type Heard, openEars } from './ears.ts'
import { type Line, openLine } from './line.ts'
import { type Argument, type Link, LinkError } from './link.ts'
import { capitals, evaluate } from './evaluate.ts'
import { type Topology, redirection, slotOf, topologyOf } from './slots.ts'
import type { LinkOptions } from './connect.ts'
import { type Address, type Where, addressName } from './url.ts'
import { pause, waiters } from './waiters.ts'
import type { Wire } from './wire.ts'

interface Node {
  readonly address: Address
  readonly line: Line
  readonly ears: Ears
}
interface Listener {
  readonly channel: string
  readonly heard: Heard
  at: string | undefined
  stop(): void
}

/** A command that was sent on more often than this goes in circles. */
const MOST_HOPS = 5

export function openCluster(where: Where, dial: Dial, { clock, random, log }: Omit<LinkOptions, 'url'>): Link {
  const { name } = where
  const over = new AbortController(),
    waiting = waiters(),
    nodes = new Map<string, Node>(),
    listeners = new Set<Listener>()
  let owners: Topology['owners'] = [],
    refreshing: Promise<void> | undefined,
    trouble = new LinkError('away', 'no', `There is no connection to ${name}`),
    told: string | undefined

  const isUp = () => nodes.size > 0 && [...nodes.values()].every(({ line }) => line.wire)
  const login = where.login()

  function nodeAt(address: Address): Node {
    const at = addressName(address)
    const there = nodes.get(at)
    if (there) return there
    const shared = { name: at, clock, random, log, troubled }
    const node: Node = {
      address,
      line: openLine({
        ...shared,
        purpose: 'commands',
        dial: signal => dial({ address, signal, login, db: 0, scripts: true }),
        connected: () => queueMicrotask(settleIfUp),
      }),
      ears: openEars({
        ...shared,
        dial: (signal, heard) => dial({ address, signal, login, db: 0, heard }),
      }),
    }
    nodes.set(at, node)
    node.line.start()
    return node
  }
  function settleIfUp(): void {
    if (isUp()) waiting.settle()
  }
  function troubled(why: LinkError): void {
    trouble = why
    if (isFinal(why)) waiting.settle(why)
    refresh()
  }

  /** Asks who has which slot, and again until all of them are connected. */
  function refresh(): void {
    refreshing ??= ask().finally(() => {
      refreshing = undefined
    })
  }
  async function ask(): Promise<void> {
    for (let times = 0; !over.signal.aborted; times++) {
      await pause(times, clock, random, over.signal)
      try {
        await apply(await askAround())
      } catch (error) {
        if (over.signal.aborted) return
        trouble = error as LinkError
        if (told !== trouble.message)
          log.warn({ redis: name }, `the nodes of the Redis Cluster are not known, trying again: ${trouble.message}`)
        told = trouble.message
        if (isFinal(trouble)) waiting.settle(trouble)
        continue
      }
      told = undefined
      settleIfUp()
      if (isUp()) return
    }
  }
  async function askAround(): Promise<Topology> {
    let why: LinkError | undefined
    for (const { address, line } of nodes.values()) {
      if (!line.wire) continue
      const found = await topologyFrom(line.wire, address).catch((error: LinkError) => void (why = error))
      if (found) return found
    }
    for (const address of [...where.addresses, ...[...nodes.values()].map(node => node.address)]) {
      const found = await firstTopology(address).catch((error: LinkError) => void (why = error))
      if (found) return found
    }
    throw why!
  }
  async function firstTopology(address: Address): Promise<Topology> {
    const wire = await dial({ address, login, db: 0, signal: over.signal })
    try {
      return await topologyFrom(wire, address)
    } finally {
      wire.end(new LinkError('away', 'no', 'It was asked'))
      await wire.ended
    }
  }
  async function topologyFrom(wire: Wire, address: Address): Promise<Topology> {
    const found = topologyOf(await wire.send('CLUSTER', ['SLOTS']), hostOf(address))
    if (found.masters.size > 0) return found
    throw new LinkError('unready', 'no', `${wire.name} knows of no node with slots. Is the Cluster made?`)
  }
  async function apply(topology: Topology): Promise<void> {
    if (over.signal.aborted) return
    owners = topology.owners
    for (const address of topology.masters.values()) nodeAt(address)
    listeners.forEach(place)
    const gone = [...nodes].filter(([at]) => !topology.masters.has(at))
    for (const [at] of gone) nodes.delete(at)
    await Promise.all(gone.map(([, node]) => close(node)))
  }

  /** On the node of the key; where that one sends it. */
  async function send(key: string | undefined, on: (wire: Wire) => Promise<unknown>): Promise<unknown> {
    let node = nodes.get(owners[slotOf(key ?? '')]!),
      isAsking = false
    for (let hops = 0; ; hops++) {
      const wire = node?.line.wire
      if (!node || !wire) throw node?.line.absence() ?? new LinkError('away', 'no', `Redis cannot be reached: ${trouble.message}`)
      try {
        return await on(isAsking ? asking(wire) : wire)
      } catch (error) {
        const text = refused(error)
        const to = redirection(text, hostOf(node.address))
        if (text.startsWith('CLUSTERDOWN')) refresh()
        if (!to || hops === MOST_HOPS || over.signal.aborted) throw error
        node = nodeAt(to.address)
        isAsking = to.kind === 'ASK'
        if (!isAsking) moved(to.slot, to.address)
        if (!node.line.wire) throw error
      }
    }
  }
  function moved(slot: number, to: Address): void {
    owners[slot] = addressName(to)
    refresh()
  }

  function place(one: Listener): void {
    const at = owners[slotOf(one.channel)]
    if (at === one.at) return
    one.stop()
    one.at = at
    one.stop = nodes.get(at!)?.ears.listen(one.channel, one.heard) ?? (() => {})
  }

  return {
    name,
    oneSlot: false,
    get lives() {
      return [...nodes.values()].reduce((sum, { line }) => sum + line.lives, 0)
    },
    get isUp() {
      return isUp()
    },
    async up(signal) {
      if (over.signal.aborted) throw trouble
      signal?.throwIfAborted()
      if (isUp()) return
      refresh()
      await waiting.wait(signal)
    },
    run: (script, keys, args) => send(keys[0], wire => evaluate(wire, script, keys, args)),
    ask: (command, ...args) => send(args[0] === undefined ? undefined : `${args[0]}`, wire => wire.send(capitals(command), args)),
    listen(channel, heard) {
      const one: Listener = { channel, heard, at: undefined, stop() {} }
      listeners.add(one)
      if (nodes.size > 0) place(one)
      else refresh()
      return () => {
        listeners.delete(one)
        one.stop()
      }
    },
    async [Symbol.asyncDispose]() {
      trouble = closedByUs(name)
      over.abort(trouble)
      waiting.settle(trouble)
      await Promise.all([refreshing, ...[...nodes.values()].map(close)])
    },
  }
}

const hostOf = (address: Address) => ('host' in address ? address.host : '')
const close = ({ line, ears }: Node) => Promise.all([line[Symbol.asyncDispose](), ears[Symbol.asyncDispose]()])

/** What it sends is run though the slot is still on its way there. */
const asking = (wire: Wire): Wire => ({
  ...wire,
  send(command: string, words: readonly Argument[]) {
    wire.send('ASKING', []).catch(() => {}) // the next one fails too
    return wire.send(command, words)
  },
})
