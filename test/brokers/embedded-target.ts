/** The embedded broker as the suites and the other tests of it open it: in folders of their own, on clocks that they move. */
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { embeddedBroker } from '../../brokers/embedded/index.ts'
import type { EmbeddedOptions } from '../../brokers/embedded/index.ts'
import { advance, crash } from '../../brokers/embedded/testing.ts'
import type { BrokerTarget } from '../../conformance.ts'
import type { Broker, Consumer, Envelope } from '../../lib/broker.ts'
import { root } from '../root.ts'

export const never = new AbortController().signal
/** Longer than any test: what ends it is an event. */
export const FOREVER = 2 ** 40
export const envelope = (id: string, rest: Partial<Envelope> = {}): Envelope => ({
  id,
  queue: 'q',
  body: Buffer.from(id),
  attempt: 0,
  priority: 1,
  ...rest,
})
export const ids = (deliveries: readonly { readonly envelope: Envelope }[]) => deliveries.map(({ envelope: { id } }) => id)

/** A folder that is gone after the test. */
export function folder(t: Pick<Test, 'teardown'>): string {
  const path = mkdtempSync(join(tmpdir(), 'greenroom-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  return join(path, 'folder')
}

export function consume(
  broker: Broker,
  rest: { readonly leaseMs?: number; readonly credit?: number; readonly onLost?: (tokens: readonly string[]) => void } = {},
): Promise<Consumer> {
  return broker.consume({ queues: ['q'], credit: 1_000, leaseMs: 30_000, onLost() {}, ...rest })
}

/** Exactly so many, waited for. */
export async function receive(consumer: Consumer, count: number) {
  const found: Awaited<ReturnType<Consumer['take']>>[number][] = []
  while (found.length < count) found.push(...(await consumer.take(count - found.length, { waitMs: FOREVER, signal: never })))
  return found
}

/** A target on one folder. One broker is open all the time and keeps the engine, whose clock the others share. */
export async function embeddedTarget(options: EmbeddedOptions): Promise<BrokerTarget & AsyncDisposable> {
  let anchor = await anchored()
  async function anchored(): Promise<Broker> {
    const broker = embeddedBroker(options)
    // From here on the clock of the engine stands still until it is moved.
    await advance(broker, 0)
    return broker
  }
  const opened = new Set<Broker>()
  let moved = 0
  return {
    shared: true,
    async open(namespace = 'conformance') {
      const broker = embeddedBroker({ ...options, namespace })
      opened.add(broker)
      return broker
    },
    async advance(ms) {
      moved += ms
      await advance(anchor, ms)
    },
    crash: consumer => crash(anchor, consumer),
    async restart() {
      for (const broker of [...opened, anchor]) await broker[Symbol.asyncDispose]()
      opened.clear()
      anchor = await anchored()
      await advance(anchor, moved)
    },
    [Symbol.asyncDispose]: async () => {
      await anchor[Symbol.asyncDispose]()
    },
  }
}

export interface Part {
  readonly path: string
  readonly ledger?: string
  readonly count?: number
  readonly size?: number
  readonly leaseMs?: number
  readonly prefix?: string
  readonly blockMs?: number
  readonly sync?: 'flush' | 'none'
}

export interface Played extends Disposable {
  readonly child: ChildProcess
  readonly pid: number
  /** The next message of this kind. */
  says<T = unknown>(kind: string): Promise<T>
  tell(kind: string): void
  kill(signal: NodeJS.Signals): void
  readonly ended: Promise<{ readonly code: number | null; readonly signal: string | null }>
}

/** A process that plays a part of test/fixtures/embedded-process.mjs. */
export function play(t: Pick<Test, 'teardown'>, part: string, data: Part, options: { readonly uid?: number } = {}): Played {
  const child = fork(join(root, 'test/fixtures/embedded-process.mjs'), [part, JSON.stringify(data)], {
    execArgv: [],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    ...options,
    env: { ...process.env, EMBEDDED: fileURLToPath(new URL(`../../brokers/embedded/index.js`, import.meta.url)) },
  })
  const heard: { readonly kind: string }[] = []
  child.on('message', message => heard.push(message as { kind: string }))
  const ended = once(child, 'exit').then(([code, signal]) => ({ code: code as number | null, signal: signal as string | null }))
  const kill = (signal: NodeJS.Signals) => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal)
  }
  t.teardown(() => kill('SIGKILL'))
  return {
    child,
    pid: child.pid!,
    ended,
    kill,
    async says(kind) {
      for (;;) {
        const at = heard.findIndex(message => message.kind === kind)
        if (at >= 0) return heard.splice(at, 1)[0] as never
        const over = await Promise.race([once(child, 'message').then(() => false), ended.then(() => true)])
        if (over && !heard.some(message => message.kind === kind)) throw new Error(`the process ended and never said ${kind}`)
      }
    },
    tell: kind => {
      child.send({ kind })
    },
    [Symbol.dispose]: () => kill('SIGKILL'),
  }
}

/** What a ledger says after a letter. A line that a kill cut is none. */
export function noted(path: string, letter: string): string[] {
  const lines = readFileSync(path, 'utf8').split('\n')
  return lines
    .slice(0, -1)
    .filter(line => line.startsWith(`${letter} `))
    .map(line => line.split(' ')[1]!)
}
