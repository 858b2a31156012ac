/** What the tests of the connections to Redis share: links that log into `lines`, and what became of a command. */
import { inspect } from 'node:util'
import { type LinkOptions, openLink } from '../../brokers/redis/connect.ts'
import { type Link, LinkError } from '../../brokers/redis/link.ts'
import { systemClock } from '../../lib/clock.ts'
import { systemRandom } from '../../lib/ids.ts'
import type { Logger } from '../../lib/log.ts'
import { gate, turns } from '../helpers/turns.ts'
import { openResp } from '../rig/resp.ts'

export const lines: string[] = []
const note = (facts: object | string, text?: string) => void lines.push(inspect(facts, { depth: 9 }) + text)
const log: Logger = { debug: note, info: note, warn: note, error: note }

export const linkTo = (url: LinkOptions['url'], replyTimeoutMs = 5_000): Link =>
  openLink({ url, replyTimeoutMs, log, clock: systemClock, random: systemRandom })
export const urlOf = ({ port }: { port: number }) => `redis://127.0.0.1:${port}`

export async function failure(promise: Promise<unknown>): Promise<LinkError> {
  try {
    await promise
  } catch (error) {
    if (error instanceof LinkError) return error
    throw error
  }
  throw new Error('it did not fail')
}
export const how = async (promise: Promise<unknown>) => {
  const { why, ran } = await failure(promise)
  return [why, ran]
}
/** Of another connection, beside the link. */
export async function beside(port: number, ...words: readonly string[]) {
  using resp = await openResp(port)
  return await resp.ask(...words)
}
/** A `heard` and its calls, one after the other: a text, or nothing for "something may have been missed". */
export function hearing() {
  const heard: (string | undefined)[] = []
  let next = gate()
  return {
    heard(message?: Buffer) {
      heard.push(message?.toString())
      next.open()
      next = gate()
    },
    async next(): Promise<string | undefined> {
      while (heard.length === 0) await next.opened
      return heard.shift()
    },
  }
}

/** The first line of the log from now on that says it. */
export async function until(text: RegExp): Promise<string> {
  for (let at = lines.length; ; at++) {
    while (lines.length <= at) await turns(1)
    if (text.test(lines[at]!)) return lines[at]!
  }
}
