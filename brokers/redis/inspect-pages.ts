/**
 * Pages of a listing. A page is read by one script, and ends early where its messages are large. A cursor names a message and not a number:
 * of what is ready the first of the next page and the last of the one before, and about where they stood. When workers took both meanwhile,
 * they took all before them as well, and the next page begins at the head.
 */
import type { Entry, ListOptions, Page, Place } from '../../lib/broker.ts'
import { GreenroomError } from '../../lib/errors.ts'
import { deadEntry, delayedEntry, entryOf } from './entries.ts'
import { MOST, MOST_BYTES, type Reply, type Server, type Timed } from './inspect-server.ts'

const PAGE = 100,
  LONGEST_PAGE = 1_000
/** How far an anchor is looked for above its place, where a worker that stopped put back what it held. */
const PUT_BACK = 5_000
const NONE = Buffer.alloc(0)

export async function listed(server: Server, queue: string, place: Place, { cursor, limit = PAGE }: ListOptions): Promise<Page> {
  const most = Math.max(1, Math.min(limit, LONGEST_PAGE)),
    from = cursor === undefined ? undefined : parsed(place, cursor)
  if (place === 'leased') return leased(server, queue, most, from)
  return place === 'delayed' || place === 'dead'
    ? timed(server, queue, place, most, from)
    : waiting(server, queue, place, most, from)
}

async function waiting(server: Server, queue: string, place: 'ready' | 'suspect', most: number, from?: Parts): Promise<Page> {
  if (place === 'ready') await server.promoteDue(queue)
  const list = number(from, 0),
    expected = number(from, 1),
    [next, last] = [bytes(from, 2), bytes(from, 3)]
  const ask = async (at: number, ...anchors: readonly [Buffer, Buffer]) =>
    (await server.run('inspect-page', queue, [place, list, at, ...anchors, MOST, most, MOST_BYTES])) as Reply
  /** From there down to a place; undefined when none of the two is there. */
  async function search(top: number, bottom: number): Promise<Reply | undefined> {
    for (let at = top; at >= bottom;) {
      const reply = await ask(at, next, last)
      if (reply.length > 1) return reply
      at = Number(reply[0])
    }
    return undefined
  }
  const found = from && ((await search(expected, 0)) ?? (await search(expected + PUT_BACK, expected + 1)))
  const [nextList, nextAt, head, , ...frames] = found ?? (await ask(0, NONE, NONE))
  const entries = (frames as Buffer[]).map(frame => entryOf(queue, place, frame))
  if (Number(nextList) < 0) return { entries }
  return { entries, cursor: written(place, Number(nextList), Number(nextAt), head as Buffer, headOf(frames.at(-1) as Buffer)) }
}
/** As scripts/shared/look.lua has it. */
const headOf = (frame: Buffer): Buffer => frame.subarray(0, 15 + (frame[14] ?? 0))

async function timed(server: Server, queue: string, place: Timed, most: number, from?: Parts): Promise<Page> {
  const reply = await server.run('inspect-timed', queue, [place, bytes(from, 0), bytes(from, 1), most, MOST_BYTES])
  const [more, ...found] = reply as Buffer[],
    entries: Entry[] = []
  for (let i = 0; i < found.length; i += 3) {
    const [member, score, body] = found.slice(i, i + 3) as [Buffer, Buffer, Buffer]
    if (body.length > 0) entries.push((place === 'dead' ? deadEntry : delayedEntry)(queue, member, score, body))
  }
  if (String(more) === '0') return { entries }
  return { entries, cursor: written(place, found.at(-2)!, found.at(-3)!) }
}

/** By who holds them, and then in the order in which they were taken. */
async function leased(server: Server, queue: string, most: number, from?: Parts): Promise<Page> {
  const first = String(bytes(from, 0)),
    entries: Entry[] = []
  let cursor: string | undefined,
    size = 0
  for (const holder of await server.holders(queue)) {
    if (holder < first) continue
    let field = holder === first ? String(bytes(from, 1)) : ''
    do {
      const [trip = -1, index = -1] = field === '' ? [] : field.split('.')
      const args = [holder, trip, index, most + 1 - entries.length, MOST_BYTES, '']
      const [last, ...found] = (await server.run('inspect-held', queue, args)) as Buffer[]
      for (let i = 0; i < found.length; i += 2) {
        // One more than was asked for tells whether there is another page.
        if (entries.length === most || size >= MOST_BYTES) return { entries, ...(cursor !== undefined && { cursor }) }
        entries.push(entryOf(queue, 'leased', found[i + 1]!))
        size += found[i + 1]!.length
        cursor = written('leased', Buffer.from(holder), found[i]!)
      }
      field = String(last)
    } while (field !== '')
  }
  return { entries }
}

type Parts = readonly (number | Buffer)[]
const number = (parts: Parts | undefined, at: number): number => Number(parts?.[at] ?? 0)
const bytes = (parts: Parts | undefined, at: number): Buffer => (Buffer.isBuffer(parts?.[at]) ? parts[at] : NONE)

/** The first letter of its place, then its parts: a number as it is, bytes in base64 behind a colon. */
const written = (place: Place, ...parts: Parts): string =>
  [place[0], ...parts.map(part => (typeof part === 'number' ? part : `:${part.toString('base64url')}`))].join('.')

function parsed(place: Place, cursor: string): Parts {
  const [kind, ...written] = cursor.split('.')
  const parts = written.map(part =>
    part.startsWith(':') ? Buffer.from(part.slice(1), 'base64url') : Number.parseInt(part, 10) || 0,
  )
  if (kind === place[0] && isWhole[place](parts)) return parts
  throw new GreenroomError('OPTION_INVALID', `This is no cursor of a listing of what is ${place}`, {
    help: 'Give the one that came with the page before, or none for the first page',
  })
}
const isPlace = (parts: Parts) => parts.length === 4
const isTime = (parts: Parts) => parts.length === 2 && Number.isFinite(Number(String(parts[0])))
const isField = (parts: Parts) => parts.length === 2 && /^\d+\.\d+$/.test(String(parts[1]))
const isWhole: Readonly<Record<Place, (parts: Parts) => boolean>> = {
  ready: isPlace,
  suspect: isPlace,
  delayed: isTime,
  dead: isTime,
  leased: isField,
}
