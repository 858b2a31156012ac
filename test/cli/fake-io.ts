/** A world for commands: what they print is kept, time stands still, and requests to stop come when a test says so. */
import { movingClock, type MovingClock } from '../../lib/moving-clock.ts'
import type { Child, Io, StopCause } from '../../cli/command.ts'
import { run } from '../../cli/run.ts'

export interface FakeIo extends Io {
  readonly clock: MovingClock
  readonly printed: string[]
  readonly errors: string[]
  stop(cause: StopCause): void
  reload(): void
}

export function fakeIo({ env = {}, cwd = '/nowhere', ...rest }: Partial<Io> = {}): FakeIo {
  const listeners = new Set<(cause: StopCause) => void>()
  const reloaders = new Set<() => void>()
  const printed: string[] = []
  const errors: string[] = []
  return {
    print: (line, _, more = []) => printed.push(line, ...more),
    error: (line, _, more = []) => errors.push(line, ...more),
    printed,
    errors,
    isTerminal: false,
    env,
    cwd,
    pid: 1,
    version: '0.0.0',
    clock: movingClock(),
    onStop(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    stop: cause => listeners.forEach(listener => listener(cause)),
    rssBytes: () => 50_000_000,
    onReload(listener) {
      reloaders.add(listener)
      return () => reloaders.delete(listener)
    },
    reload: () => reloaders.forEach(listener => listener()),
    fork: (): Child => {
      throw new Error('no child is expected')
    },
    quit: () => {},
    ...rest,
  } as FakeIo
}

/** One command line: its exit code, and what it printed. */
export async function cli(argv: readonly string[], world: Partial<Io> = {}) {
  const io = fakeIo(world)
  const code = await run(argv, io)
  return { code, out: io.printed.join('\n'), err: io.errors.join('\n') }
}
