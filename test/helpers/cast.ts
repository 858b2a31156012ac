/** A broker, processes of test/fixtures/faults-process.mjs on it, and what their ledger says. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { type EmbeddedOptions, embeddedBroker } from '../../brokers/embedded/index.ts'
import { redisBroker } from '../../brokers/redis/index.ts'
import { greenroom } from '../../index.ts'
import type { Broker } from '../../lib/broker.ts'
import { folder } from '../brokers/embedded-target.ts'
import { program, type Program } from '../cli/program.ts'
import { scanRedis } from '../rig/redis-scan.ts'
import { root } from '../root.ts'

/** A line that a handler wrote. */
export interface Noted {
  readonly id: string
  readonly attempt: number
  readonly deliveries: number
  readonly pid: number
  readonly actor: string
}

interface Played {
  /** For `work()` of a worker. */
  readonly options?: object
  /** What a sender sends. */
  readonly messages?: readonly {
    readonly actor: string
    readonly id: string
    readonly once?: string
    readonly delay?: string
    readonly queue?: string
  }[]
}

export const PROGRAM = join(root, 'test/fixtures/faults-process.mjs')
export const BUILD = new URL('../../', import.meta.url).href

/** What a process said of a kind, so far. */
export const said = ({ output }: Program, kind: string): readonly Record<string, unknown>[] =>
  [...output.matchAll(new RegExp(`^${kind} (\\{.*\\})$`, 'gm'))].map(([, json]) => JSON.parse(json!) as Record<string, unknown>)

/** How many messages are where. */
export interface Stock {
  readonly ready: number
  readonly delayed: number
  readonly leased: number
  readonly suspect: number
  readonly dead: number
}
export const EMPTY: Stock = { ready: 0, delayed: 0, leased: 0, suspect: 0, dead: 0 }
/** What is the same wherever the messages are kept. */
export type Cast = ReturnType<typeof troupe>

/** On `file:`, in a folder of the test. */
export function cast(t: Test, rest: Omit<EmbeddedOptions, 'path'> = {}) {
  const path = folder(t),
    broker = embeddedBroker({ path, ...rest }),
    { inspector } = broker
  const dead = async (queue: string) => {
    const { entries } = await inspector!.list(queue, 'dead')
    return entries.map(({ envelope: { id } }) => id)
  }
  return { ...troupe(t, { path, broker, counts: queue => inspector!.counts(queue), dead }), inspector: inspector! }
}

/** On a Redis server, in a database of its own. What dead workers held comes back after the shortest lease that there is. */
export function redisCast(t: Test, url: string) {
  const scan = async () => {
    const found = await scanRedis(url)
    for (const what of found.wrong) t.fail(what)
    return found
  }
  const broker = redisBroker({ url })
  return {
    ...troupe(t, {
      path: folder(t),
      broker,
      env: { BROKER: url },
      work: { lease: 1_000 },
      counts: async queue => {
        const { ids } = await scan()
        return Object.fromEntries(
          Object.keys(EMPTY).map(place => [place, ids(place as keyof Stock, queue).length]),
        ) as unknown as Stock
      },
      dead: async queue => (await scan()).ids('dead', queue),
    }),
    url,
    scan,
  }
}

interface Stage {
  readonly path: string
  readonly broker: Broker
  /** For its processes. */
  readonly env?: NodeJS.ProcessEnv
  /** For its workers. */
  readonly work?: object
  readonly counts: (queue: string) => Promise<Stock>
  readonly dead: (queue: string) => Promise<readonly string[]>
}

function troupe(t: Test, { path, broker, env: always = {}, work = {}, counts, dead }: Stage) {
  const app = greenroom({ broker })
  t.teardown(async () => {
    await app.close()
    await broker[Symbol.asyncDispose]()
  })
  const play = (part: string, data: Played, env: NodeJS.ProcessEnv = {}) => {
    const played = program([PROGRAM, part, path, JSON.stringify(data)], { env: { BUILD, ...always, ...env } })
    t.teardown(() => void played.child.kill('SIGKILL'))
    return played
  }
  return {
    path,
    broker,
    counts,
    /** The ids of dead letters. */
    dead,
    play,
    /** A worker, once it is ready. */
    async hire(options: object = {}, env: NodeJS.ProcessEnv = {}): Promise<Program> {
      const worker = play('work', { options: { ...work, ...options } }, env)
      await worker.until(/^ready/m)
      return worker
    },
    /** Messages from this process. */
    async push(messages: NonNullable<Played['messages']>): Promise<void> {
      await app.send(
        messages.map(({ actor, id, queue }) =>
          app
            .declare<() => void>(actor, queue ? { queue } : {})
            .with({ id })
            .message(),
        ),
      )
    },
    /** Sends in a process of its own, to its end. @returns what was stored, by id */
    async sends(messages: NonNullable<Played['messages']>): Promise<readonly (readonly [id: unknown, stored: unknown])[]> {
      const sender = play('send', { messages })
      if ((await sender.ended) !== 0) throw new Error(`the sender failed: ${sender.output}`)
      return said(sender, 'sent').map(({ id, stored }) => [id, stored])
    },
    /** The lines of a letter: S for begun, E for ended. */
    ledger: (letter: 'S' | 'E'): readonly Noted[] =>
      (existsSync(`${path}.ledger`) ? readFileSync(`${path}.ledger`, 'utf8') : '')
        .split('\n')
        .slice(0, -1)
        .map(line => line.split(' '))
        .filter(([first]) => first === letter)
        .map(([, id, attempt, deliveries, pid, actor]) => ({
          id: id!,
          attempt: Number(attempt),
          deliveries: Number(deliveries),
          pid: Number(pid),
          actor: actor!,
        })),
  }
}

export async function kill({ child, ended }: Program): Promise<void> {
  child.kill('SIGKILL')
  await ended
}
/** How a process ends when it is asked to. */
export async function stop({ child, ended }: Program): Promise<number | NodeJS.Signals> {
  child.kill('SIGTERM')
  return ended
}
