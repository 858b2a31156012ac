#!/usr/bin/env node
/**
 * The command line's process: the only file that touches it. Builds the `Io` that commands see, and ends the process with
 * the exit code that they answer.
 */
import { createRequire } from 'node:module'
import { fork } from 'node:child_process'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../lib/clock.ts'
import type { Child, Io, StopCause } from './command.ts'
import { crashLine } from './crash.ts'
import { EXIT } from './exit.ts'
import { run } from './run.ts'

/** Tells a child which one it is. */
const NUMBER = 'GREENROOM_CHILD'
/** What a module leaves open (a connection, a timer) holds the process up no longer than this. */
const EXIT_GRACE_MS = 1_000
/** A line that never ends is passed on in pieces. */
const LONGEST_LINE = 65_536

const { version } = createRequire(import.meta.url)('greenroom/package.json') as { version: string }

const listeners = new Set<(cause: StopCause) => void>()
const stop = (cause: StopCause) => {
  for (const listener of listeners) listener(cause)
}

/** Set by a parent of ours; taken out, so that nothing started by a handler thinks it were a child. */
const number = process.send && Number(process.env[NUMBER])
delete process.env[NUMBER]

const io: Io = {
  print: line => {
    process.stdout.write(`${line}\n`)
  },
  error: line => {
    process.stderr.write(`${line}\n`)
  },
  env: process.env,
  cwd: process.cwd(),
  pid: process.pid,
  clock: systemClock,
  version,
  ...(number
    ? {
        parent: {
          number,
          ready: () => {
            process.send?.('ready', () => {})
          },
        },
      }
    : {}),
  onStop(listener) {
    if (listeners.size === 0) listen()
    listeners.add(listener)
    return () => {
      listeners.delete(listener)
    }
  },
  fork: forkChild,
  quit: code => process.exit(code),
}

/** Signals are ours only once a command wants them: Ctrl-C ends `greenroom queues` as it ends anything. */
function listen(): void {
  process.on('SIGTERM', () => stop('SIGTERM'))
  process.on('SIGINT', () => {
    if (!number) stop('SIGINT')
  }) // a terminal signals the children too; their parent tells them
  if (!process.send) return
  process.on('disconnect', () => stop('parent is gone'))
  process.on('message', word => {
    if (word === 'stop') stop('parent stops')
    else if (word === 'force') stop('parent forces')
  })
  if (!process.connected) stop('parent is gone')
}

function forkChild(args: readonly string[], number: number, line: (text: string, isError: boolean) => void): Child {
  const child = fork(fileURLToPath(import.meta.url), args, {
    env: { ...process.env, [NUMBER]: `${number}` },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const ended = new Promise<number | NodeJS.Signals>(resolve => {
    child.on('error', error => {
      line(`could not be started: ${error.message}`, true)
      if (child.pid === undefined) resolve(EXIT.unexpected)
    })
    child.on('close', (code, signal) => resolve(signal ?? code ?? EXIT.unexpected))
  })
  lines(child.stdout!, text => line(text, false))
  lines(child.stderr!, text => line(text, true))
  return {
    pid: child.pid,
    ended,
    ready: Promise.race([
      new Promise<true>(resolve => {
        child.on('message', word => {
          if (word === 'ready') resolve(true)
        })
      }),
      ended.then(() => false),
    ]),
    order: word => {
      if (child.connected) child.send(word, () => {})
    },
    kill: () => {
      child.kill('SIGKILL')
    },
  }
}

function lines(stream: Readable, each: (text: string) => void): void {
  let rest = ''
  stream.setEncoding('utf8').on('data', (text: string) => {
    const whole = (rest + text).split('\n')
    rest = whole.pop()!
    for (const line of whole) each(line)
    if (rest.length > LONGEST_LINE) {
      each(rest)
      rest = ''
    }
  })
  stream.on('end', () => {
    if (rest !== '') each(rest)
  })
}

// Whoever reads may go away (`greenroom queues | head -1`, a parent that is killed): that is no reason to lose what runs.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

// A monitor, so that Node ends the process as it would without us. It is silent where the user's own code has a say.
process.on('uncaughtExceptionMonitor', (error, origin) => {
  const line = process.listenerCount('uncaughtException') === 0 ? crashLine(error, origin) : undefined
  if (line !== undefined) io.error(line)
})

process.exitCode = await run(process.argv.slice(2), io)
if (process.connected) process.disconnect()
systemClock.after(EXIT_GRACE_MS, () => process.exit(), { ref: false })
