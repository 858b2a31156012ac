/** What `greenroom doctor` looks at: each check is a function that answers with lines, and one that throws is a line too. */
import { existsSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { Counts, Finding } from '../lib/broker.ts'
import { within } from '../lib/clock.ts'
import { shortDuration } from '../lib/duration.ts'
import { GreenroomError } from '../lib/errors.ts'
import { environmentOf, folderOf, isBroker } from '../lib/locate.ts'
import type { Io, Values } from './command.ts'
import { readConfigFile } from './config-file.ts'
import { usage } from './failure.ts'
import { appOf, checkThere, isMade, meant, type Opened, type TARGET_FLAGS } from './target.ts'
import { plural } from './text.ts'

type Given = Values<typeof TARGET_FLAGS>

const ok = (text: string): Finding => ({ state: 'ok', text })
const look = (text: string): Finding => ({ state: 'look', text })

const SUPPORTED = [20, 22, 24, 26]
/** Less room than this is soon none. */
const LITTLE_BYTES = 256 * 2 ** 20
/** A broker that needs longer for one question is slow for every send. */
const SLOW_MS = 1_000
const DEADLINE_MS = 10_000
/** Ready for so long, with nothing running: probably nobody serves the queue. */
const FORGOTTEN_MS = 60_000

export const node = (): Finding[] => {
  const { node } = process.versions,
    major = Number.parseInt(node, 10)
  return [
    SUPPORTED.includes(major) || major > SUPPORTED.at(-1)!
      ? ok(`Node ${node}`)
      : look(`Node ${node} is not among those that are tested: ${SUPPORTED.join(', ')}`),
  ]
}

/** The command line that runs may not be the one that the application uses. */
export function version(io: Io): Finding[] {
  let installed: string
  try {
    installed = (createRequire(join(io.cwd, 'package.json'))('greenroom/package.json') as { version: string }).version
  } catch {
    return [look(`greenroom ${io.version}; it is not installed in ${io.cwd}: npm install greenroom`)]
  }
  return [
    installed === io.version
      ? ok(`greenroom ${io.version}`)
      : look(`this is greenroom ${io.version}, and ${installed} is installed in ${io.cwd}: use npx greenroom`),
  ]
}

export async function config(io: Io): Promise<Finding[]> {
  const { file } = await readConfigFile(io)
  return [ok(file === undefined ? 'no greenroom.config.*, and none is needed' : `settings from ${file}`)]
}

/** Which broker, whether it answers, and what stands out in its queues. */
export async function broker(values: Given, io: Io): Promise<Finding[]> {
  const { from, module } = await meant(values, io),
    { app, internals } = await appOf(values, io)
  try {
    const where = `${module === undefined ? from : `the app of ${module}`}, environment ${environmentOf(io.env)}`
    const url = internals.brokerUrl()
    if (typeof url === 'string' && url.startsWith('file:') && !isMade(url))
      return [
        ok(`broker file:${folderOf(url)} (${where}): not made yet, the first send or worker makes it`),
        ...(await room(folderOf(url))),
      ]
    checkThere(internals, io)
    const before = io.clock.monotonic()
    const late = () => usage(`The broker did not answer within ${shortDuration(DEADLINE_MS)}`, 'Is it running and reachable?')
    const opened = internals.open().then(async ({ broker }) => {
      const found = (await broker.diagnose?.()) ?? []
      const isUsable = !found.some(({ state }) => state === 'bad')
      const { inspector } = broker
      return { broker, found, queues: isUsable && inspector ? await unlessDenied(inspector.queues()) : undefined }
    })
    const { broker, found, queues } = await within(opened, DEADLINE_MS, io.clock, late)
    const ms = io.clock.monotonic() - before,
      answered = `broker ${broker.name} (${where}) answered in ${shortDuration(ms)}`
    return [
      ms > SLOW_MS ? look(`${answered}: that is slow`) : ok(answered),
      ...found,
      ...(broker.capabilities.durable ? [] : [look('it is not durable: messages end with it')]),
      ...(isBroker(url) || !url.startsWith('file:') ? [] : await room(folderOf(url))),
      ...(broker.inspector && queues ? await oddities({ broker, inspector: broker.inspector, internals }, queues) : []),
    ]
  } finally {
    await app.close()
  }
}

async function room(folder: string): Promise<Finding[]> {
  let there = folder
  while (!existsSync(there)) there = dirname(there)
  const { bavail, bsize } = await statfs(there),
    free = bavail * bsize
  const text = `${Math.floor(free / 2 ** 20)} MB free on the disk of ${there}`
  return [free < LITTLE_BYTES ? look(`${text}: sends are refused when it is full`) : ok(text)]
}

async function oddities({ inspector }: Opened, queues: readonly string[]): Promise<Finding[]> {
  const found: Finding[] = []
  for (const queue of queues) {
    const counts = await unlessDenied(inspector.counts(queue))
    if (counts === undefined) return [look('this user may not look into its queues')]
    found.push(...oddIn(queue, counts))
  }
  return found.length > 0 ? found : [ok(`${plural(queues.length, 'queue')}, and nothing odd in them`)]
}

/** Who may only send, or work, is told of what is his. */
const unlessDenied = <T>(looking: Promise<T>): Promise<T | undefined> =>
  looking.catch((error: unknown) => {
    if (error instanceof GreenroomError && error.code === 'BROKER_DENIED') return undefined
    throw error
  })

/** Pure. */
export function oddIn(queue: string, { ready, leased, suspect, dead, oldestMs, paused }: Counts): Finding[] {
  return [
    ...(paused ? [look(`queue ${queue} is paused: greenroom resume ${queue}`)] : []),
    ...(dead > 0 ? [look(`queue ${queue} has ${plural(dead, 'dead letter')}: greenroom dead list ${queue}`)] : []),
    ...(suspect > 0
      ? [look(`queue ${queue} has ${plural(suspect, 'message')} whose workers died: greenroom list ${queue}`)]
      : []),
    ...(!paused && ready > 0 && leased === 0 && oldestMs > FORGOTTEN_MS
      ? [
          look(
            `queue ${queue}: the oldest of ${ready} has waited ${shortDuration(oldestMs)} and nothing runs: does a worker serve it?`,
          ),
        ]
      : []),
  ]
}
