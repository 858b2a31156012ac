/**
 * What waits on queues of a broker that none of the workers here serves: the commonest reason for "nothing runs". Told once, when
 * a worker starts; a courtesy, so what goes wrong with it is left to whoever needs the broker.
 */
import type { Inspector } from '../../lib/broker.ts'
import { listedShort, safe } from '../text.ts'

/** Each is a question to the broker, while a person waits. */
const MOST_QUEUES = 100

/** @returns a line, or undefined when nothing waits elsewhere, or the broker cannot say */
export async function elsewhereLine(inspector: Inspector | undefined, served: ReadonlySet<string>): Promise<string | undefined> {
  try {
    const others = ((await inspector?.queues()) ?? []).filter(name => !served.has(name)).slice(0, MOST_QUEUES)
    const waiting: string[] = []
    for (const name of others) {
      const { ready, suspect } = await inspector!.counts(name)
      if (ready + suspect > 0) waiting.push(`${name} ${ready + suspect}`)
    }
    return waiting.length === 0
      ? undefined
      : safe(`waiting elsewhere: ${listedShort(waiting)} (this worker does not serve ${waiting.length === 1 ? 'it' : 'them'})`)
  } catch {
    return undefined
  }
}
