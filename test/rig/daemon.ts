/**
 * A real server as a process of a test: on ports of its own, in a temporary folder of its own, ready when it answers as the process that
 * was started. It can be killed, stopped, paused, and started again on the same folder and ports. When the test ends it is gone with its
 * folder, also when the test is killed. Signals go to the processes that were started here, by their ids.
 *
 *     await using server = await startDaemon(redis())
 *     await server.kill()
 *     await server.start()
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock, within } from '../../lib/clock.ts'
import { guard } from './guard.ts'
import { freePort, isFree } from './ports.ts'

/** Where one server lives, the same for all its starts. */
export interface Place {
  readonly folder: string
  /** The one that clients use, and as many more as the server asks for. */
  readonly ports: readonly [number, ...number[]]
}

export interface Command {
  readonly program: string
  readonly args: readonly string[]
  readonly env?: NodeJS.ProcessEnv
}

/** A kind of server. */
export interface Kind {
  readonly name: string
  /** @default 1 */
  readonly ports?: number
  command(place: Place): Command
  /** What must run beside it, in the foreground, and is never signalled but at the end. */
  helper?(place: Place): Command
  /** It prints this when it answers. */
  readonly ready: RegExp
  /** Whether what answers there is the process with this id, or otherwise the one of this place. */
  isOurs(place: Place, pid: number): Promise<boolean>
}

export interface Daemon extends AsyncDisposable {
  readonly port: number
  readonly place: Place
  /** Of the process that runs, or ran last. */
  readonly pid: number
  /** All it printed, in all its starts. */
  readonly output: string
  /** Resolves when it answers; rejects with what it printed when it does not come to that. */
  start(): Promise<void>
  /** SIGKILL; all its processes are gone then. */
  kill(): Promise<void>
  /** Asks it to end, and waits until it has. */
  stop(): Promise<void>
  /** It stands still, its connections stay open. */
  pause(): void
  continue(): void
}

/** The longest that a server may take to answer, on a machine that is busy with other tests. */
const START_MS = 60_000
/** Nobody reserves a port: another process may take it between the look and the start. */
const TRIES = 3

export async function startDaemon(kind: Kind): Promise<Daemon> {
  for (let tries = 1; ; tries++) {
    const ports: number[] = []
    while (ports.length < (kind.ports ?? 1)) ports.push(await freePort())
    const made = daemon(kind, {
      folder: mkdtempSync(join(tmpdir(), `greenroom-${kind.name}-`)),
      ports: ports as [number, ...number[]],
    })
    try {
      await made.start()
      return made
    } catch (error) {
      await made[Symbol.asyncDispose]()
      const taken = await Promise.all(ports.map(async port => !(await isFree(port))))
      if (tries === TRIES || !taken.includes(true)) throw error
    }
  }
}

function daemon(kind: Kind, place: Place): Daemon {
  const [port] = place.ports
  let server: Running | undefined,
    helper: Running | undefined,
    release: () => Promise<void> = async () => {},
    output = '',
    pid = 0

  async function start(): Promise<void> {
    if (server) throw new Error(`${kind.name} runs already, as ${server.pid}`)
    if (kind.helper && !helper) helper = run(kind.helper(place), () => {})
    let printed = ''
    const { promise: ready, resolve: isReady } = deferred()
    const started = run(kind.command(place), text => {
      printed += text
      output += text
      if (kind.ready.test(printed)) isReady()
    })
    server = started
    pid = started.pid
    await protect(started, helper)
    const fail = (how: string) => new Error(`${kind.name} on port ${port} ${how}; it printed:\n${printed}`)
    const early = started.ended.then(how => {
      throw fail(`ended (${how}) before it answered`)
    })
    early.catch(() => {}) // it ends some time; whoever ended it knows
    try {
      await within(Promise.race([ready, early]), START_MS, systemClock, () => fail(`did not answer within ${START_MS} ms`))
      if (!(await kind.isOurs(place, pid))) throw fail('is answered for by another process')
    } catch (error) {
      await end('SIGKILL')
      throw error
    }
  }

  /** A signal that ends it: to all its processes, or to the first one, which ends the others. */
  async function end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    if (!server) return
    const ending = server
    if (signal === 'SIGKILL') ending.signal(signal)
    else ending.child.kill(signal)
    await ending.ended
    server = undefined
    await protect(helper)
  }

  /** Whoever kills the test ends these too. Ids of what has ended are forgotten: the system may give them to others. */
  async function protect(...processes: readonly (Running | undefined)[]): Promise<void> {
    const before = release
    release = guard(
      place.folder,
      processes.filter(one => one !== undefined).map(({ pid }) => pid),
    )
    await before()
  }

  function running(): Running {
    if (!server) throw new Error(`${kind.name} does not run`)
    return server
  }

  return {
    port,
    place,
    get pid() {
      return pid
    },
    get output() {
      return output
    },
    start,
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    pause: () => running().signal('SIGSTOP'),
    continue: () => running().signal('SIGCONT'),
    async [Symbol.asyncDispose]() {
      await end('SIGKILL')
      helper?.signal('SIGKILL')
      await helper?.ended
      helper = undefined
      await release()
      rmSync(place.folder, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

interface Running {
  readonly child: ChildProcess
  readonly pid: number
  /** Its exit code or signal, when it and all that hold its output are gone. */
  readonly ended: Promise<string>
  /** To the group that it leads. */
  signal(signal: NodeJS.Signals): void
}

function run({ program, args, env }: Command, hear: (text: string) => void): Running {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true, env: { ...process.env, ...env } })
  if (child.pid === undefined) {
    child.on('error', () => {})
    throw new Error(`${program} cannot be started: is it there, and may it be run?`)
  }
  const { pid } = child
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', hear)
  let isGone = false
  const ended = once(child, 'close').then(([code, signal]) => {
    isGone = true
    return `${signal ?? code}`
  })
  return {
    child,
    pid,
    ended,
    signal(signal) {
      if (!isGone) process.kill(-pid, signal)
    },
  }
}

function deferred(): { readonly promise: Promise<void>; resolve(): void } {
  let resolve!: () => void
  const promise = new Promise<void>(done => {
    resolve = done
  })
  return { promise, resolve }
}
