/** A folder, processes of test/fixtures/faults-process.mjs in it, and what their ledger says. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Test } from 'tap'
import { type EmbeddedOptions, embeddedBroker } from '../../brokers/embedded/index.ts'
import { greenroom } from '../../index.ts'
import { folder } from '../brokers/embedded-target.ts'
import { program, type Program } from '../cli/program.ts'
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

export function cast(t: Test, rest: Omit<EmbeddedOptions, 'path'> = {}) {
  const path = folder(t),
    broker = embeddedBroker({ path, ...rest }),
    app = greenroom({ broker })
  t.teardown(async () => {
    await app.close()
    await broker[Symbol.asyncDispose]()
  })
  const play = (part: string, data: Played, env: NodeJS.ProcessEnv = {}) => {
    const played = program([PROGRAM, part, path, JSON.stringify(data)], { env: { BUILD, ...env } })
    t.teardown(() => void played.child.kill('SIGKILL'))
    return played
  }
  return {
    path,
    broker,
    inspector: broker.inspector!,
    play,
    /** A worker, once it is ready. */
    async hire(options: object = {}, env: NodeJS.ProcessEnv = {}): Promise<Program> {
      const worker = play('work', { options }, env)
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
