/** Processes of a long run: started on a program beside this file, asked over their channel, killed. One that ends by itself is remembered. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../../lib/clock.ts'

export interface Member extends AsyncDisposable {
  readonly pid: number
  /** The answer to a question, which is a function of the program. Rejects when the process ends instead. */
  ask<T = unknown>(question: string, input?: unknown): Promise<T>
  /** SIGKILL, and how it ended: with something else if it was quicker. */
  kill(): Promise<number | NodeJS.Signals>
  /** SIGTERM, and how it ended: its exit code, or the signal that ended it. */
  stop(): Promise<number | NodeJS.Signals>
  /** Resolves when it has ended, for whatever reason. */
  readonly gone: Promise<unknown>
  /** How it ended, if nobody here ended it. */
  readonly ended: string | undefined
}

/** A process, once it answers, or at once where it `mayDie` before that. Its program calls `answers()`. */
export async function member(
  program: string,
  data: unknown,
  {
    execArgv = [],
    env = {},
    mayDie = false,
    onStderr = () => {},
  }: {
    readonly execArgv?: readonly string[]
    readonly env?: NodeJS.ProcessEnv
    readonly mayDie?: boolean
    /** It is printed too. */
    readonly onStderr?: (text: string) => void
  } = {},
): Promise<Member> {
  const child = fork(fileURLToPath(new URL(`./${program}.js`, import.meta.url)), [JSON.stringify(data)], {
    execArgv: ['--enable-source-maps', ...execArgv],
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
    env: { ...process.env, ...env },
  })
  const asked = new Map<number, { resolve(value: never): void; reject(error: Error): void }>()
  let questions = 0,
    isOurs = false,
    ended: string | undefined
  const gone = once(child, 'close') // later than `exit`: all that it printed is here
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    process.stderr.write(text)
    onStderr(text)
  })
  child.on('message', (message: { readonly id: number; readonly answer?: unknown; readonly error?: string }) => {
    const found = asked.get(message.id)
    asked.delete(message.id)
    if (message.error === undefined) found?.resolve(message.answer as never)
    else found?.reject(new Error(message.error))
  })
  child.once('exit', (code, signal) => {
    if (!isOurs) ended = signal ?? `exit code ${code}`
    for (const { reject } of asked.values()) reject(new Error(`${program} ended: ${signal ?? code}`))
    asked.clear()
  })
  const self: Member = {
    pid: child.pid!,
    ask: (question, input) =>
      new Promise((resolve, reject) => {
        if (!child.connected) return reject(new Error(`${program} ended: ${ended ?? 'it was killed'}`))
        asked.set(++questions, { resolve, reject })
        child.send({ id: questions, question, input }, error => {
          if (error) reject(error)
        })
      }),
    kill: () => end(() => child.kill('SIGKILL')),
    stop: () => end(() => child.kill('SIGTERM')),
    gone,
    get ended() {
      return ended
    },
    [Symbol.asyncDispose]: async () => void (await self.kill()),
  }
  async function end(how: () => void): Promise<number | NodeJS.Signals> {
    isOurs = true
    if (child.exitCode === null && child.signalCode === null) how()
    await gone
    return child.signalCode ?? child.exitCode!
  }
  if (!mayDie) await self.ask('ready')
  return self
}

/** In a member: answers questions, for as long as its parent is there. `ready` is asked first. */
export function answers(questions: Readonly<Record<string, (input: never) => unknown>>): void {
  process.on('message', async ({ id, question, input }: { id: number; question: string; input: unknown }) => {
    try {
      process.send!({ id, answer: await questions[question]!(input as never) })
    } catch (error) {
      process.send!({ id, error: String((error as Error).stack) })
    }
  })
  process.once('disconnect', () => process.exit())
}
/** What a member was started with. */
export const given = <T>(): T => JSON.parse(process.argv[2]!) as T

export interface Memory {
  /** Of the process itself: without the pages of files that are mapped, where the system tells. MB. */
  readonly own: number
  readonly rss: number
}
/** As benchmarks/flat counts. */
export function memoryNow(): Memory {
  const status = existsSync('/proc/self/status') ? readFileSync('/proc/self/status', 'utf8') : '',
    kilobytes = /RssAnon:\s+(\d+)/.exec(status)?.[1],
    rss = process.memoryUsage.rss() / 1e6
  return { own: kilobytes === undefined ? rss : Number(kilobytes) / 1_000, rss }
}

/** Calls `look` again and again until it says true, so many ms apart; rejects once nothing it returns has changed for `patienceMs`. */
export async function until(
  what: string,
  look: () => Promise<number | true>,
  { everyMs = 50, patienceMs = 60_000 } = {},
): Promise<void> {
  let last: number | true = NaN,
    since = systemClock.monotonic()
  for (;;) {
    const found = await look()
    if (found === true) return
    if (found !== last) since = systemClock.monotonic()
    else if (systemClock.monotonic() - since > patienceMs)
      throw new Error(`${what}: nothing moves since ${patienceMs} ms, at ${found}`)
    last = found
    await new Promise<void>(resolve => void systemClock.after(everyMs, resolve))
  }
}
