/**
 * The process of the run `memory`: sends and runs as fast as it can, stops and lets everything end, and then says what its heaps hold after
 * a collection, that of the broker's thread too, which is told through the program that each thread of this process loads first.
 */
import { createRequire, syncBuiltinESMExports } from 'node:module'
import { BroadcastChannel } from 'node:worker_threads'
import type { App } from '../../index.ts'
import type { Broker } from '../../lib/broker.ts'
import { systemClock } from '../../lib/clock.ts'
import { answers, given, memoryNow } from './crew.ts'
import { pause } from './scenario.ts'

const { path } = given<{ path: string }>()
const AT_ONCE = 1_000
/** Closing is over when its threads are gone, which nobody tells; within so long they are. */
const CLOSED_MS = 5_000

// Before the library is loaded: every thread that it starts answers about its own heap.
const threads = createRequire(import.meta.url)('node:worker_threads') as typeof import('node:worker_threads')
const { Worker } = threads
let started = 0
threads.Worker = class extends Worker {
  constructor(program: string | URL, options: import('node:worker_threads').WorkerOptions = {}) {
    const probe = new URL('./memory-probe.js', import.meta.url).href
    super(program, { ...options, execArgv: [...(options.execArgv ?? []), '--import', probe] })
    started++
    this.once('exit', () => void started--)
  }
}
syncBuiltinESMExports()

let baseline: Readonly<Record<string, number>> = {}
let ran = 0,
  sent = 0,
  target = 0,
  until = 0,
  failed: unknown
let idle = () => {}
let send: (n: number) => Promise<unknown>
let broker: Broker
let app: Pick<App, 'close'>

/** Nothing is awaited while this file is loaded: Node listens meanwhile, and that would count. */
async function start(): Promise<void> {
  await pause(50)
  baseline = footprint()
  const { greenroom } = await import('../../index.ts')
  const { embeddedBroker } = await import('../../brokers/embedded/index.ts')
  broker = embeddedBroker({ path })
  const made = greenroom({ broker, log: { debug() {}, info() {}, warn() {}, error: console.error } })
  const noop = made.actor(
    (_url: string, _n: number) => {
      ran++
      feed()
    },
    { name: 'noop' },
  )
  app = made
  send = n => noop.send('https://example.com/photos/2026/11/24/some-picture-of-a-cat.jpg', n)
  await made.work({ concurrency: 100 })
}

/** Keeps so many under way, until the target is sent or its time is over. */
function feed(): void {
  while (sent < target && sent - ran < AT_ONCE) {
    if (until > 0 && (sent & 63) === 0 && systemClock.monotonic() > until) target = sent
    else send(sent++).catch(error => (failed = error))
  }
  if (ran >= target) idle()
}

async function load({ messages, ms }: { messages: number; ms: number }) {
  target = sent + messages
  until = ms > 0 ? systemClock.monotonic() + ms : 0
  const done = new Promise<void>(resolve => (idle = resolve))
  feed()
  await done
  if (failed !== undefined) throw failed
  // What was settled last is written when the counts say so.
  const { inspector } = broker
  for (let counts = await inspector!.counts('default'); counts.leased + counts.ready > 0;) {
    await pause(5)
    counts = await inspector!.counts('default')
  }
  return { ran, sent, ...(await sample()) }
}

/** What is reachable: two collections, as finalizers of the first free more. */
async function sample() {
  await pause(50)
  const heaps = await Promise.all([own(), ...(started > 0 ? [others()] : [])])
  return { main: heaps[0], threads: heaps[1] ?? 0, ...memoryNow() }
}
function own(): number {
  globalThis.gc!()
  globalThis.gc!()
  const { heapUsed, external } = process.memoryUsage()
  return (heapUsed + external) / 1e6
}
function others(): Promise<number> {
  const channel = new BroadcastChannel('greenroom-soak-heap')
  const expected = started
  let sum = 0,
    heard = 0
  return new Promise(resolve => {
    channel.addEventListener('message', event => {
      sum += (event as unknown as { data: number }).data
      if (++heard < expected) return
      channel.close()
      resolve(sum)
    })
    channel.postMessage('how much?')
  })
}

/** What keeps a process alive, and who listens to it: kinds with their numbers. */
function footprint(): Readonly<Record<string, number>> {
  const found: Record<string, number> = {}
  for (const kind of process.getActiveResourcesInfo()) found[kind] = (found[kind] ?? 0) + 1
  for (const event of process.eventNames()) found[`on ${String(event)}`] = process.listenerCount(event)
  return found
}

answers({
  ready: start,
  load,
  /** What is left over once everything is closed, and was not there before; and the other way round. */
  async close() {
    await app.close()
    await broker[Symbol.asyncDispose]()
    const end = systemClock.monotonic() + CLOSED_MS
    let left = difference()
    while ((left.length > 0 || started > 0) && systemClock.monotonic() < end) {
      await pause(20)
      left = difference()
    }
    return started > 0 ? [...left, `threads: ${started}`] : left
  },
})
/** Of the channel to the parent nothing counts: it is how this is asked. The timer is that of the question. */
const OURS = new Set([
  'on message',
  'on disconnect',
  'on internalMessage',
  'on newListener',
  'on removeListener',
  'Pipe',
  'PipeWrap',
])
function difference(): readonly string[] {
  const now = footprint()
  return [...new Set([...Object.keys(now), ...Object.keys(baseline)])]
    .filter(kind => !OURS.has(kind) && (now[kind] ?? 0) !== (baseline[kind] ?? 0))
    .map(kind => `${kind}: ${baseline[kind] ?? 0} before, ${now[kind] ?? 0} after`)
}
