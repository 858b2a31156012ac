/**
 * A Redis master, its replica, and sentinels that watch them: when the master is gone, the replica is promoted. Each is a daemon of its own,
 * to be killed, paused and started again; it keeps the role that it was given last.
 *
 *     await using pair = await redisPair()
 *     const [first, second] = pair.nodes
 *     await first.kill()
 *     await pair.promoted(second)
 *
 * As found with 7.0.15, a killed master is replaced after two to three seconds, more on a busy machine. An old master that comes back is
 * made a replica after another two or three (ten and more with the sentinels' own settings), and until then takes writes that are lost:
 * what a broker has to live with. `isReplicaOf` waits for that. Sentinels may take a node for dead that is slow.
 */
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Daemon, Kind } from './daemon.ts'
import { type RedisSettings, redis } from './redis.ts'
import type { ServerClock } from './redis-at.ts'
import { type Reply, openResp } from './resp.ts'
import { disposeAll, startAll, until } from './several.ts'

export interface RedisPairOptions {
  /** With three, two have to agree. @default 1 */
  readonly sentinels?: 1 | 3
  /** Of both nodes. */
  readonly settings?: RedisSettings
  /** Of both nodes; the sentinels have the machine's. @default the machine's */
  readonly clock?: ServerClock
}

export interface RedisPair extends AsyncDisposable {
  /** What clients ask the sentinels for. */
  readonly name: string
  /** The first one is the master at first. Its `pause()`, or that of the other one, makes it stand still. */
  readonly nodes: readonly [Daemon, Daemon]
  readonly sentinels: readonly Daemon[]
  /** As a sentinel that runs says it. */
  master(): Promise<Daemon>
  /** It is the master: it says so itself, and so does every sentinel that runs. */
  promoted(node: Daemon): Promise<void>
  /** It follows the other one, and has all that it has. */
  isReplicaOf(master: Daemon): Promise<void>
  /** Asks a sentinel to let the replica take over, which runs: no write is lost if nobody writes meanwhile. */
  failover(): Promise<void>
}

const NAME = 'pair'
/** On a clock that is moved by hours neither node may take the other one for gone because it was not heard since. */
const STILL = { 'repl-timeout': 2_000_000_000 }
/** Not 500: on a machine that is busy with other tests a sentinel then takes a node for dead that has just written its settings to a slow disk. */
const DOWN_MS = 1_500
const FAILOVER_MS = 2_000
/**
 * How often it asks whether nodes are there (1 s), what they are (10 s), and tells others (2 s). A node that is not what it should be is
 * told so after four times the last. A lost connection is made again once in the first: with 1 s its node may count as dead before. A
 * replica that was not heard of for five times the first is not promoted, and it is asked what it is once a second: so no less than this.
 */
const QUICK = ['PING-PERIOD', '500', 'INFO-PERIOD', '500', 'PUBLISH-PERIOD', '250']

export async function redisPair({ sentinels: count = 1, settings = {}, clock }: RedisPairOptions = {}): Promise<RedisPair> {
  const kind = (its: RedisSettings) => (clock ? clock.of(node({ ...STILL, ...its })) : node(its))
  const all: Daemon[] = []
  const start = async (kinds: readonly Kind[]) => {
    const started = await startAll(kinds)
    all.push(...started)
    return started
  }
  try {
    const [first] = await start([kind(settings)])
    const [second] = await start([kind({ ...settings, replicaof: `127.0.0.1 ${first!.port}` })])
    await follows(second!, first!) // a sentinel asks the master for its replicas when it starts, and then every 10 s
    const sentinels = await start(Array.from({ length: count }, () => sentinel(first!.port, Math.ceil(count / 2))))
    const pair = open([first!, second!], sentinels)
    for (const { port } of sentinels)
      await until(`the sentinel on port ${port} knows all`, async () => {
        const its = named(await ask(port, 'SENTINEL', 'MASTER', NAME))
        const [replica] = ((await ask(port, 'SENTINEL', 'REPLICAS', NAME)) as Reply[]).map(named)
        const isWhole = its['flags'] === 'master' && its['num-other-sentinels'] === `${sentinels.length - 1}`
        return isWhole && replica?.['flags'] === 'slave' && replica['master-link-status'] === 'ok'
      })
    return pair
  } catch (error) {
    await disposeAll(all)
    throw error
  }
}

function open(nodes: readonly [Daemon, Daemon], sentinels: readonly Daemon[]): RedisPair {
  const masterOf = async ({ port }: Daemon) => {
    const [, master] = (await ask(port, 'SENTINEL', 'GET-MASTER-ADDR-BY-NAME', NAME)) as string[]
    return nodes.find(node => `${node.port}` === master)!
  }
  const any = async <T>(of: (one: Daemon) => Promise<T>) => Promise.any(sentinels.map(of))
  return {
    name: NAME,
    nodes,
    sentinels,
    master: () => any(masterOf),
    promoted: node =>
      until(`the node on port ${node.port} is the master`, async () => {
        const said = (await Promise.allSettled(sentinels.map(masterOf))).filter(one => one.status === 'fulfilled')
        return said.length > 0 && said.every(({ value }) => value === node) && (await role(node)) === 'master'
      }),
    isReplicaOf: master =>
      follows(
        nodes.find(node => node !== master)!,
        master,
      ),
    failover: async () => void (await any(({ port }) => ask(port, 'SENTINEL', 'FAILOVER', NAME))),
    [Symbol.asyncDispose]: () => disposeAll([...sentinels, ...nodes]),
  }
}

/** Its settings are in a file: that is where it, and the sentinels, write down what it has become. */
function node(settings: RedisSettings): Kind {
  const kind = redis({ 'repl-diskless-sync-delay': 0, ...settings })
  return {
    ...kind,
    command(place) {
      const { program, args } = kind.command(place)
      const lines: string[] = []
      for (let at = 0; at < args.length; at += 2) lines.push(`${args[at]!.slice(2)} ${args[at + 1] || '""'}`)
      return { program, args: [keep(join(place.folder, 'redis.conf'), lines)] }
    },
  }
}

function sentinel(port: number, quorum: number): Kind {
  const kind = redis()
  return {
    ...kind,
    name: 'sentinel',
    command(place) {
      const file = keep(join(place.folder, 'sentinel.conf'), [
        'bind 127.0.0.1',
        `port ${place.ports[0]}`,
        `dir ${place.folder}`,
        `sentinel monitor ${NAME} 127.0.0.1 ${port} ${quorum}`,
        `sentinel down-after-milliseconds ${NAME} ${DOWN_MS}`,
        `sentinel failover-timeout ${NAME} ${FAILOVER_MS}`,
      ])
      return { program: kind.command(place).program, args: [file, '--sentinel'] }
    },
    ready: /\+monitor master/,
    async isOurs(place, pid) {
      const isOurs = await kind.isOurs(place, pid)
      if (isOurs) await ask(place.ports[0], 'SENTINEL', 'DEBUG', ...QUICK) // not kept in its file: after each start
      return isOurs
    },
  }
}

/** Written when the server starts for the first time, and its own from then on. */
function keep(file: string, lines: readonly string[]): string {
  if (!existsSync(file)) writeFileSync(file, `${lines.join('\n')}\n`)
  return file
}

const follows = (replica: Daemon, master: Daemon) =>
  until(`the node on port ${replica.port} follows that on ${master.port}`, async () => {
    const [its, of] = await Promise.all([replica, master].map(replication))
    const isLinked = its!['role'] === 'slave' && its!['master_port'] === `${master.port}` && its!['master_link_status'] === 'up'
    return isLinked && of!['role'] === 'master' && its!['slave_repl_offset'] === of!['master_repl_offset']
  })

const role = async (node: Daemon) => (await replication(node))['role']
const replication = async ({ port }: Daemon) =>
  Object.fromEntries(
    String(await ask(port, 'INFO', 'replication'))
      .split('\r\n')
      .map(line => line.split(':')),
  ) as Record<string, string>

/** A list of names and values. */
function named(reply: Reply): Record<string, string> {
  const list = reply as string[]
  return Object.fromEntries(list.flatMap((name, at) => (at % 2 === 0 ? [[name, list[at + 1]!]] : [])))
}

async function ask(port: number, ...words: readonly string[]): Promise<Reply> {
  using resp = await openResp(port)
  return await resp.ask(...words)
}
