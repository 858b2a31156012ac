/** Processes that stand still. One that is stopped in the middle of a transaction holds the lock of the folder, and then all wait for it. */
import type { Broker } from '../../lib/broker.ts'
import { machineMs, sleep, systemClock } from '../../lib/clock.ts'

/** A write takes some ms; whoever needs longer probably waits for the lock. Far less than any lease. */
const LOCKED_MS = 300

/** Stops a process outside of its transactions: where it holds the lock it goes on, and is stopped again. Resolves to when that was. */
export async function freeze(pid: number, broker: Broker): Promise<number> {
  for (;;) {
    const at = machineMs()
    process.kill(pid, 'SIGSTOP')
    const written = broker.open([`frozen-${at}`]).then(() => true) // makes a queue, which is a write
    if (await Promise.race([written, sleep(systemClock, LOCKED_MS).then(() => false)])) return at
    process.kill(pid, 'SIGCONT')
    await written
  }
}
