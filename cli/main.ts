#!/usr/bin/env node
/**
 * The command line's process: the only file that touches it. Builds the `Io` that commands see, and ends the process with
 * the exit code that they answer.
 */
import { createRequire } from 'node:module'
import { isatty } from 'node:tty'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../lib/clock.ts'
import type { Io, StopCause } from './command.ts'
import { crashLine, exitLine } from './crash.ts'
import { forkChild, NUMBER, REPORTS } from './fork.ts'
import { ioOf } from './json-io.ts'
import { run } from './run.ts'

/** What a module leaves open (a connection, a timer) holds the process up no longer than this. */
const EXIT_GRACE_MS = 1_000

const { version } = createRequire(import.meta.url)('greenroom/package.json') as { version: string }

const listeners = new Set<(cause: StopCause) => void>(),
  reloaders = new Set<() => void>(),
  askers = new Set<() => void>()
const stop = (cause: StopCause) => {
  for (const listener of listeners) listener(cause)
}

/** Set by a parent of ours; taken out, so that nothing started by a handler thinks it were a child. */
const number = process.send && Number(process.env[NUMBER])
delete process.env[NUMBER]

/** Its end: it was asked for, or somebody has said why. */
let isExpected = false

const io: Io = {
  print: (line, _, more = []) => {
    process.stdout.write(`${[line, ...more].join('\n')}\n`)
  },
  error: (line, _, more = []) => {
    process.stderr.write(`${[line, ...more].join('\n')}\n`)
  },
  isTerminal: process.stdout.isTTY === true,
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
            delete process.env[REPORTS] // or a process that a handler forks would report to it
            process.send?.('ready', () => {})
          },
          spent: why => {
            process.send?.({ spent: why }, () => {})
          },
          report: report => {
            process.send?.({ report }, () => {})
          },
          onAsk: listener => subscribe(askers, listener),
        },
      }
    : {}),
  rssBytes: () => process.memoryUsage.rss(),
  onStop: listener => subscribe(listeners, listener),
  onReload: listener => subscribe(reloaders, listener),
  fork: (args, number, told) => forkChild(fileURLToPath(import.meta.url), args, number, told),
  quit: code => {
    isExpected = true
    process.exit(code)
  },
}

function subscribe<L>(to: Set<L>, listener: L): () => void {
  listen()
  to.add(listener)
  return () => {
    to.delete(listener)
  }
}

let isListening = false
/** Asked for at the start: one that is gone is no terminal any more. */
const hasTerminal = isatty(0)
let isHungUp = false

/** Signals are ours only once a command wants them: Ctrl-C ends `greenroom queues` as it ends anything. */
function listen(): void {
  if (isListening) return
  isListening = true
  process.on('SIGHUP', () => {
    if (number) return // its parent tells it
    if (hasTerminal) {
      isHungUp = true
      return stop('SIGHUP')
    }
    for (const listener of reloaders) listener()
  })
  process.on('SIGTERM', () => stop('SIGTERM'))
  process.on('SIGINT', () => {
    if (!number) stop('SIGINT')
  }) // a terminal signals the children too; their parent tells them
  if (!process.send) return
  process.on('disconnect', () => stop('parent is gone'))
  process.on('message', word => {
    if (word === 'stop') stop('parent stops')
    else if (word === 'force') stop('parent forces')
    else if (word === 'count') for (const asker of askers) asker()
  })
  if (!process.connected) stop('parent is gone')
}

// Whoever reads may go away (`greenroom queues | head -1`, a parent that is killed): that is no reason to lose what runs.
for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {})

// A monitor, so that Node ends the process as it would without us. It is silent where the user's own code has a say.
process.on('uncaughtExceptionMonitor', (error, origin) => {
  const line = process.listenerCount('uncaughtException') === 0 ? crashLine(error, origin) : undefined
  if (line === undefined) return
  ioOf(process.argv.slice(2), io).error(line, { level: 'error' })
  isExpected = true
})
process.on('exit', code => {
  const line = isExpected ? undefined : exitLine(code)
  if (line !== undefined) ioOf(process.argv.slice(2), io).error(line, { level: 'error', exit: code })
})

process.exitCode = await run(process.argv.slice(2), io)
isExpected = true
if (isHungUp) {
  // As a program ends whose terminal closes. Node aborts where it finds the terminal gone at an ordinary exit.
  process.removeAllListeners('SIGHUP')
  process.kill(process.pid, 'SIGHUP')
}
if (process.connected) process.disconnect()
systemClock.after(EXIT_GRACE_MS, () => process.exit(), { ref: false })
