/** The library several times in one process, and in the processes of a cluster: workers of one folder that are told apart. */
import cluster from 'node:cluster'
import { once, type EventEmitter } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import t, { type Test } from 'tap'
import { embeddedBroker } from '../../brokers/embedded/index.ts'
import { root } from '../root.ts'
import { envelope, folder } from './embedded-target.ts'

const program = join(root, 'test/fixtures/embedded-peer.mjs'),
  embedded = fileURLToPath(new URL('../../brokers/embedded/index.js', import.meta.url))
/** A thread that has ended is not noticed by its process's id: what it held runs again after so long. */
const LEASE_MS = 2_000

interface Heard {
  readonly kind: 'ready' | 'took' | 'settled' | 'lost'
  readonly token: string
  readonly id: string
  readonly deliveries: number
  readonly verdicts: readonly string[]
}
interface Peer {
  tell(part: 'take' | 'settle' | 'close' | 'exit'): void
  says(kind: Heard['kind']): Promise<Heard>
  readonly heard: readonly Heard[]
  readonly ended: Promise<unknown>
}

function listen(peer: EventEmitter, tell: Peer['tell']): Peer {
  const all: Heard[] = [],
    left: Heard[] = []
  peer.on('message', (message: Heard) => {
    all.push(message)
    left.push(message)
  })
  return {
    tell,
    heard: all,
    ended: once(peer, 'exit'),
    async says(kind) {
      for (;;) {
        const at = left.findIndex(one => one.kind === kind)
        if (at >= 0) return left.splice(at, 1)[0]!
        await once(peer, 'message')
      }
    },
  }
}

function thread(_: Test, path: string): Peer {
  const worker = new Worker(program, { workerData: { embedded, path, leaseMs: LEASE_MS } })
  return listen(worker, part => worker.postMessage(part))
}

function forked(t: Test, path: string): Peer {
  cluster.setupPrimary({ exec: program, execArgv: [] })
  const worker = cluster.fork({ PEER: JSON.stringify({ embedded, path, leaseMs: LEASE_MS }) })
  t.teardown(() => worker.process.kill('SIGKILL'))
  return listen(worker, part => void worker.send(part))
}

for (const [what, make] of [
  ['threads of one process', thread],
  ['processes of a cluster', forked],
] as const)
  t.test(`${what} are workers of their own on one folder`, async t => {
    const path = folder(t)
    await using broker = embeddedBroker({ path })
    await broker.push(['a', 'b', 'c'].map(id => envelope(id)))
    const peers = [make(t, path), make(t, path), make(t, path)] as const,
      [first, second, third] = peers
    for (const peer of peers) await peer.says('ready')
    for (const peer of peers) peer.tell('take')
    const took = await Promise.all(peers.map(peer => peer.says('took')))
    t.strictSame(took.map(({ id }) => id).sort(), ['a', 'b', 'c'])
    t.equal(new Set(took.map(({ token }) => token)).size, 3)
    t.equal((await broker.inspector!.counts('q')).leased, 3)

    first.tell('settle')
    t.strictSame((await first.says('settled')).verdicts, ['ok'])
    first.tell('close')
    await first.ended
    second.tell('settle')
    t.strictSame((await second.says('settled')).verdicts, ['ok'], 'who leaves takes nothing from the others')

    await broker.push([envelope('d')])
    second.tell('take')
    t.match(await second.says('took'), { id: 'd', deliveries: 1 })
    second.tell('exit')
    await second.ended
    third.tell('settle')
    t.strictSame((await third.says('settled')).verdicts, ['ok'], 'nor does one that ends without a word')
    third.tell('take')
    t.match(await third.says('took'), { id: 'd', deliveries: 2 })
    third.tell('settle')
    t.strictSame((await third.says('settled')).verdicts, ['ok'])
    third.tell('close')
    await third.ended
    t.strictSame(
      peers.flatMap(({ heard }) => heard.filter(({ kind }) => kind === 'lost')),
      [],
    )
    t.match(await broker.inspector!.counts('q'), { ready: 0, leased: 0, dead: 0 })
  })
