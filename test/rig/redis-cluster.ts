/**
 * A Redis Cluster of three masters with a third of the slots each, ready when every node says so. A node can be killed and started again,
 * and a slot moved to another node, in one go (clients are told MOVED) or in steps (ASK).
 *
 *     await using cluster = await redisCluster()
 *     const slot = await cluster.slotOf('{queue}:jobs')
 *     await cluster.moveSlot(slot, cluster.nodes[2])
 *
 * Ready after some 2.5 s: a master that starts waits for 2 s before it says that the cluster works. There are no replicas: while a node is
 * gone its slots are, and with `cluster-require-full-coverage` (yes, by default) all others too, from NODE_TIMEOUT_MS on.
 */
import type { Daemon, Kind } from './daemon.ts'
import { type RedisSettings, redis } from './redis.ts'
import type { ServerClock } from './redis-at.ts'
import { type Reply, openResp } from './resp.ts'
import { disposeAll, startAll, until } from './several.ts'

export interface RedisCluster extends AsyncDisposable {
  readonly nodes: readonly [Daemon, Daemon, Daemon]
  slotOf(key: string): Promise<number>
  /** The node that has it. */
  ownerOf(slot: number): Promise<Daemon>
  /** Every node that runs says that the cluster works, or that it does not. */
  says(state: 'ok' | 'fail', nodes?: readonly Daemon[]): Promise<void>
  /** Kills all nodes and starts them again. */
  restart(): Promise<void>
  /** From now on the owner answers for the keys that it has, and sends clients on with ASK for others of this slot. */
  openSlot(slot: number, to: Daemon): Promise<void>
  /** So many keys of an open slot. Commands with some keys here and some there get TRYAGAIN. @param most @default all */
  moveKeys(slot: number, to: Daemon, most?: number): Promise<void>
  /** With its keys. The others answer MOVED from now on. */
  moveSlot(slot: number, to: Daemon): Promise<void>
}

const SLOTS = 16_384
/** Shorter than Redis's own 15 s, long enough for a machine that is busy with other tests. */
const NODE_TIMEOUT_MS = 1_500
/** On a clock that is moved by hours no node may be taken for dead because none was heard since. */
const STILL = { 'cluster-node-timeout': 1e12 }
/** Nodes on such a clock start so much in the past, and have caught up when they serve. */
const CATCHING_UP_MS = 10_000

/** @param clock of the nodes, which stands still but for what it is moved by until they are ready. @default the machine's */
export async function redisCluster(settings: RedisSettings = {}, clock?: ServerClock): Promise<RedisCluster> {
  clock?.behind(CATCHING_UP_MS)
  const kinds = [1, 2, 3].map(() => (clock ? clock.of(node({ ...STILL, ...settings })) : node(settings)))
  const nodes = (await startAll(kinds)) as [Daemon, Daemon, Daemon]
  try {
    await join(nodes)
    await ready()
  } catch (error) {
    await disposeAll(nodes)
    throw error
  }

  /** A master that starts serves after 2 s of its clock. */
  async function ready(): Promise<void> {
    let behind = CATCHING_UP_MS
    await says('ok', nodes, () => clock?.behind((behind = Math.max(0, behind - CATCHING_UP_MS / 100))))
    clock?.behind(0)
  }
  async function says(state: 'ok' | 'fail', asked: readonly Daemon[] = nodes, asking = () => {}): Promise<void> {
    await Promise.all(
      asked.map(({ port }) =>
        until(`the node on port ${port} says cluster_state:${state}`, async () => {
          asking()
          const info = String(await ask(port, 'CLUSTER', 'INFO'))
          return info.includes(`cluster_state:${state}\r`) && info.includes(`cluster_known_nodes:${nodes.length}\r`)
        }),
      ),
    )
  }
  async function ownerOf(slot: number): Promise<Daemon> {
    const ranges = (await ask(nodes[0].port, 'CLUSTER', 'SLOTS')) as [number, number, [string, number]][]
    const range = ranges.find(([first, last]) => first <= slot && slot <= last)
    const owner = nodes.find(({ port }) => port === range?.[2][1])
    if (!owner) throw new Error(`slot ${slot} has no owner`)
    return owner
  }
  async function openSlot(slot: number, to: Daemon): Promise<void> {
    const from = await ownerOf(slot)
    await ask(to.port, 'CLUSTER', 'SETSLOT', `${slot}`, 'IMPORTING', await idOf(from))
    await ask(from.port, 'CLUSTER', 'SETSLOT', `${slot}`, 'MIGRATING', await idOf(to))
  }
  async function moveKeys(slot: number, to: Daemon, most = Infinity): Promise<void> {
    const from = await ownerOf(slot)
    const count = Math.min(most, (await ask(from.port, 'CLUSTER', 'COUNTKEYSINSLOT', `${slot}`)) as number)
    const keys = (await ask(from.port, 'CLUSTER', 'GETKEYSINSLOT', `${slot}`, `${count}`)) as string[]
    if (keys.length > 0) await ask(from.port, 'MIGRATE', '127.0.0.1', `${to.port}`, '', '0', '10000', 'KEYS', ...keys)
  }
  return {
    nodes,
    slotOf: async key => (await ask(nodes[0].port, 'CLUSTER', 'KEYSLOT', key)) as number,
    ownerOf,
    says: (state, asked) => says(state, asked),
    async restart() {
      await Promise.all(nodes.map(one => one.kill()))
      clock?.behind(CATCHING_UP_MS)
      await Promise.all(nodes.map(one => one.start()))
      await ready()
    },
    openSlot,
    moveKeys,
    async moveSlot(slot, to) {
      await openSlot(slot, to)
      await moveKeys(slot, to)
      const id = await idOf(to)
      // The new owner first: nobody sends a client to one that would send it back.
      for (const { port } of [to, ...nodes.filter(one => one !== to)])
        await ask(port, 'CLUSTER', 'SETSLOT', `${slot}`, 'NODE', id)
    },
    [Symbol.asyncDispose]: () => disposeAll(nodes),
  }
}

/** On two ports, the second one for its bus. */
function node(settings: RedisSettings): Kind {
  const its = { 'cluster-enabled': 'yes', 'cluster-node-timeout': NODE_TIMEOUT_MS, ...settings }
  const kind = redis(its)
  return {
    ...kind,
    ports: 2,
    command(place) {
      const { program, args } = kind.command(place)
      return { program, args: [...args, '--cluster-port', `${place.ports[1]}`] }
    },
  }
}

/** What `redis-cli --cluster create` does, without its sleeps and its questions. */
async function join(nodes: readonly Daemon[]): Promise<void> {
  const share = Math.ceil(SLOTS / nodes.length)
  for (const [at, { port }] of nodes.entries()) {
    await ask(port, 'CLUSTER', 'ADDSLOTSRANGE', `${at * share}`, `${Math.min(SLOTS, (at + 1) * share) - 1}`)
    await ask(port, 'CLUSTER', 'SET-CONFIG-EPOCH', `${at + 1}`) // two that claim the same need some time to settle it
  }
  const [first, ...others] = nodes
  for (const { place } of others) {
    const [port, bus] = place.ports
    await ask(first!.port, 'CLUSTER', 'MEET', '127.0.0.1', `${port}`, `${bus}`)
  }
}

const idOf = async ({ port }: Daemon) => String(await ask(port, 'CLUSTER', 'MYID'))

async function ask(port: number, ...words: readonly string[]): Promise<Reply> {
  using resp = await openResp(port)
  return await resp.ask(...words)
}
