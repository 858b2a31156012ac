/** What `greenroom doctor` tells of a server: what it is and keeps, how far it is, whose clock is wrong, what its user may not do. */
import type { Finding } from '../../lib/broker.ts'
import type { Clock } from '../../lib/clock.ts'
import { shortDuration } from '../../lib/duration.ts'
import { GreenroomError } from '../../lib/errors.ts'
import { needsOf, refusedOf, rulesOf } from './access.ts'
import { lacksOf, lookAt, tooOld } from './durability.ts'
import { failureOf } from './errors.ts'
import { type Link, LinkError } from './link.ts'

/** A server that has not let us in by then does not. */
const REACH_MS = 3_000
const CALLS = 11
/** A call that takes longer than this costs one who sends one message after the other. */
const FAR_MS = 20
/** Clocks are rarely nearer. */
const SKEW_MS = 1_000
const NEARLY_FULL = 0.9

const ok = (text: string): Finding => ({ state: 'ok', text })
const look = (text: string): Finding => ({ state: 'look', text })

/** @throws {GreenroomError} for a server that cannot be used at all */
export async function diagnose(link: Link, namespace: string, clock: Clock): Promise<readonly Finding[]> {
  try {
    await reach(link, clock)
    return [...(await kept(link)), ...(await near(link, clock)), ...(await allowed(link, namespace))]
  } catch (error) {
    throw failureOf(error, link.name)
  }
}

async function reach(link: Link, clock: Clock): Promise<void> {
  const late = new AbortController(),
    timer = clock.after(REACH_MS, () => late.abort())
  try {
    await link.up(late.signal)
  } catch (error) {
    if (!late.signal.aborted) throw error
    await link.ask('TIME') // without a connection it says why there is none
  } finally {
    timer.cancel()
  }
}

async function kept(link: Link): Promise<readonly Finding[]> {
  try {
    const server = await lookAt(link)
    if (!server.isNew) throw tooOld(link.name, server)
    const { product, version, role, replicas, appendonly, appendfsync, maxmemory, usedMemory, maxmemoryPolicy } = server
    const kept = appendonly ? `appendonly yes${appendfsync === undefined ? '' : `, appendfsync ${appendfsync}`}` : 'appendonly no'
    const room = maxmemory === 0 ? 'no maxmemory' : `${Math.round((100 * usedMemory) / maxmemory)}% of its memory used`
    const what = `${product} ${version}, ${role} with ${replicas === 1 ? '1 replica' : `${replicas} replicas`}, ${kept}, ${maxmemoryPolicy}, ${room}`
    const isFull = maxmemory > 0 && usedMemory > NEARLY_FULL * maxmemory
    return [
      isFull ? look(`${what}: when it is full sends are refused. Run more workers, or raise maxmemory`) : ok(what),
      ...lacksOf(server).map(({ what, fix }) => look(`${what}. ${fix}`)),
    ]
  } catch (error) {
    if (!(error instanceof LinkError && error.why === 'denied')) throw error
    return [look('its user may not read INFO, so nobody knows what it keeps. Give it +info')]
  }
}

/** By TIME, which every user of ours may ask for. */
async function near(link: Link, clock: Clock): Promise<readonly Finding[]> {
  const calls: { readonly ms: number; readonly ahead: number }[] = []
  while (calls.length < CALLS) {
    const [began, from] = [clock.monotonic(), clock.now()]
    const [seconds, micros] = (await link.ask('TIME')) as readonly Buffer[]
    const ms = clock.monotonic() - began
    calls.push({ ms, ahead: Number(seconds) * 1_000 + Number(micros) / 1_000 - from - ms / 2 })
  }
  const { ms, ahead } = calls.toSorted((a, b) => a.ms - b.ms)[CALLS >> 1]!
  const trip = `a call takes ${ms.toFixed(1)} ms`
  const by = shortDuration(Math.abs(ahead))
  return [
    ms > FAR_MS ? look(`${trip}: a send that is awaited takes as long. Send many at once, or move nearer`) : ok(trip),
    Math.abs(ahead) > SKEW_MS
      ? look(
          `its clock is ${by} ${ahead > 0 ? 'ahead of' : 'behind'} this machine’s: \`at\` and \`maxAge\` are off by that. Set both by NTP`,
        )
      : ok(`its clock is this machine’s, ${by} apart`),
  ]
}

async function allowed(link: Link, namespace: string): Promise<readonly Finding[]> {
  const { send, work, operate } = needsOf(namespace)
  const noSend = await refusedOf(link, namespace, send),
    noWork = await refusedOf(link, namespace, work),
    noOperate = await refusedOf(link, namespace, operate)
  if (noSend.length > 0) {
    const error = new GreenroomError('BROKER_DENIED', `its user may not send: it is refused ${noSend.join(', ')}`, {
      help: `Give it ${rulesOf(noSend)} on these keys and channels, see docs/redis.md`,
    })
    return [{ state: 'bad', text: error.message, error }]
  }
  const lacks = (what: string, missing: readonly string[]) => look(`${what} needs ${rulesOf(missing)}, see docs/redis.md`)
  if (noWork.length > 0) return [lacks('its user may send and not work, which is right for who only sends. A worker', noWork)]
  if (noOperate.length > 0)
    return [lacks('its user may send and work. Who looks into queues, as greenroom list does,', noOperate)]
  return [ok('its user may send, work and look into queues')]
}
