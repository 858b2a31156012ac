/** A parent of `--processes` whose children live and die when the test says so, on a clock that it moves. */
import type { Child, Io, Told } from '../../cli/command.ts'
import type { Probes } from '../../cli/worker/health-server.ts'
import { workerSettings } from '../../cli/worker/options.ts'
import { supervise } from '../../cli/worker/supervise.ts'
import { fakeIo } from './fake-io.ts'

export interface FakeChild extends Child {
  readonly number: number
  readonly told: Told
  readonly orders: string[]
  up(): void
  die(end: number | NodeJS.Signals): void
}

export function world(values: Parameters<typeof workerSettings>[0], dress: (io: Io) => Io = io => io) {
  const children: FakeChild[] = []
  const quits: number[] = []
  const io = fakeIo({
    quit: code => {
      quits.push(code)
    },
    fork(args, number, told) {
      const orders: string[] = []
      const { promise: ended, resolve: die } = withResolvers<number | NodeJS.Signals>()
      const { promise: ready, resolve: isReady } = withResolvers<boolean>()
      void ended.then(() => isReady(false))
      const up = () => {
        told.line(`up ${args.join(' ')}`, false)
        isReady(true)
      }
      const child = {
        number,
        told,
        pid: 100 + children.length,
        ready,
        ended,
        orders,
        up,
        die,
        order: (word: string) => orders.push(word),
        kill: () => die('SIGKILL'),
      }
      children.push(child)
      return child
    },
  })
  let probes!: Probes
  const code = supervise(['worker', 'a.js'], workerSettings(values), dress(io), [], answers => {
    probes = answers
  })
  return { io, children, quits, code, probes }
}

function withResolvers<T>() {
  let resolve!: (value: T) => void
  const promise = new Promise<T>(done => {
    resolve = done
  })
  return { promise, resolve }
}
