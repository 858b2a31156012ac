/**
 * The keeper: a thread beside the event loop, one a process. It renews leases whose adapter has a module for it, watches whether the loop
 * moves, says what blocks it (the loop itself cannot), and ends the process when it never moves again, so that its messages run elsewhere.
 */
import { writeSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { machineMs, systemClock } from '../clock.ts'
import { shortDuration } from '../duration.ts'
import { isJsonLog, jsonLine } from '../json-line.ts'
import { oneLine } from '../printable.ts'
import { Board } from './board.ts'
import type { Blocked, KeeperData, Said, Told } from './protocol.ts'
import { createRenewals } from './renewals.ts'
import { lookAtLoop, type Sight } from './stack.ts'
import { createWatch, type Finding, limitOf } from './watch.ts'

/** The same actor is told of on standard error at most so often; the event comes each time. */
const QUIET_MS = 60_000

const port = parentPort
if (port) run(workerData as KeeperData)

function say(said: Said): void {
  port!.postMessage(said)
}

/** Straight to standard error: the console of a thread goes through the event loop. */
function print(level: 'warn' | 'error', text: string, facts: object = {}): void {
  const line = isJsonLog() ? jsonLine(level, text, facts) : oneLine(`greenroom ${level === 'warn' ? 'warning' : level}: ${text}`)
  try {
    writeSync(2, `${line}\n`)
  } catch {} // a pipe that nobody reads; the process matters more than the line
}

function run({ memory, names, roots, isMain, limits: first, kept }: KeeperData): void {
  const board = new Board(memory, names),
    watch = createWatch(),
    quietUntil = new Map<string, number>()
  const renewals = createRenewals(
    systemClock,
    module => import(module),
    (id, error) => say({ kind: 'renewal', id, error }),
  )
  let limits = first,
    sight: Sight | undefined,
    sightAt = -1, // the beat that it belongs to
    seeing: Promise<void> | undefined,
    blockedActors: readonly string[] = [],
    isEnding = false

  // What a keeper's module leaves alone must not end the watch.
  process.on('uncaughtException', error => print('error', `in the keeper thread: ${String(error)}`))
  process.on('unhandledRejection', error => print('error', `in the keeper thread: ${String(error)}`))
  for (const [id, one] of kept) renewals.keep(id, one)
  port!.on('message', (told: Told) => {
    switch (told.kind) {
      case 'limits':
        limits = told.limits
        return
      case 'named':
        board.names[told.place] = told.name
        return
      case 'keep':
        return renewals.keep(told.id, told.kept)
      case 'drop':
        return void renewals.drop(told.id).then(() => say({ kind: 'dropped', id: told.id }))
      default:
        told satisfies never
    }
  })
  look()

  function look(): void {
    const finding = watch.look({
      now: machineMs(),
      beatAt: board.beatAt,
      thresholdMs: Math.min(...limits.map(({ thresholdMs }) => thresholdMs)),
      limitMs: limitMs(),
    })
    heed(finding)
    systemClock.after(watch.nextAt - machineMs(), look)
  }

  /** How long the loop may stand still: by the actor that was seen to block it, or by all that runs. */
  function limitMs(): number {
    if (board.inspected) return Infinity
    const guilty = sightAt === board.beatAt ? sight?.actors?.[0] : undefined
    return limitOf(limits, (guilty !== undefined ? board.limitOf(guilty) : undefined) ?? board.longestMs)
  }

  function heed({ kind, blockedMs }: Finding): void {
    if (kind === 'blocked') {
      blockedActors = board.running
      seeing = see().then(() => tell(blockedMs))
    } else if (kind === 'over' && !isEnding) {
      isEnding = true
      void end(blockedMs)
    } else if (kind === 'back') {
      void seeing?.then(() => say({ kind: 'blocked', blocked: { ...found(), blockedMs: Math.round(blockedMs) } }))
    }
  }

  /** Looks at the loop, unless somebody's debugger does. What is seen once it moves again is not what blocked it. */
  async function see(): Promise<void> {
    sight = undefined
    if (board.inspected || !isMain) return
    const { beatAt } = board,
      seen = await lookAtLoop(systemClock, roots)
    if (board.beatAt !== beatAt) return
    sight = seen
    sightAt = beatAt
  }
  const found = (): Omit<Blocked, 'blockedMs'> => ({
    actors: sight?.actors ?? blockedActors,
    stack: sight?.frames ?? [],
  })
  function textOf(): string {
    const { actors, stack } = found()
    const ran = `while ${actors.length === 0 ? 'no actor' : actors.join(', ')} ran`
    if (!sight) return `in a native call or unseen, ${ran}`
    const by = !sight.actors ? ran : actors.length === 0 ? "by code that is no actor's" : `by the actor ${actors[0]}`
    return `${by}, at ${stack.join(' < ')}`
  }
  function tell(blockedMs: number): void {
    const key = found().actors.join(),
      now = machineMs()
    if (now < (quietUntil.get(key) ?? 0)) return
    quietUntil.set(key, now + QUIET_MS)
    const help = found().actors.length > 0 ? "; isolate: 'thread' gives an actor a thread of its own" : ''
    print('warn', `the event loop has been blocked for ${shortDuration(blockedMs)} ${textOf()}${help}`, { ...found(), blockedMs })
  }

  async function end(blockedMs: number): Promise<void> {
    const { beatAt } = board
    blockedActors = board.running
    await see()
    // It moves, at the last moment; or somebody else blocks by now, who has more time.
    if (board.beatAt !== beatAt || blockedMs < limitMs()) return void (isEnding = false)
    print(
      'error',
      `the event loop has been blocked for ${shortDuration(blockedMs)} ${textOf()}; process ${process.pid} kills itself (maxBlock), and its messages run again`,
      { ...found(), blockedMs },
    )
    process.kill(process.pid, 'SIGKILL')
  }
}
