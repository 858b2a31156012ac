/**
 * How a process ends while its engine thread may be inside a transaction. Node ends a thread between two of its statements; in the middle of
 * a transaction lmdb then waits for ever for a lock that the thread itself holds (tried: one `process.exit()` in four hung, with the lock of the
 * folder). So the thread says when it is inside, in memory that both sides see, and an ending process first waits until it is out, and keeps it out.
 */

const OUT = 0,
  IN = 1,
  STOPPED = 2
/** The longest that an ending process waits: somebody else may hold the lock. */
const LONGEST_MS = 10_000

/** Made on the event loop's side, given to the thread. */
export const newGate = (): Int32Array => new Int32Array(new SharedArrayBuffer(4))

/** The thread's side: runs what must not be cut. False, and nothing was run, once the process is ending. */
export function inside(gate: Int32Array, body: () => void): boolean {
  if (Atomics.compareExchange(gate, 0, OUT, IN) !== OUT) return false
  try {
    body()
  } finally {
    Atomics.store(gate, 0, OUT)
    Atomics.notify(gate, 0)
  }
  return true
}

const gates = new Set<Int32Array>()
function shutAll(): void {
  for (const gate of gates) {
    while (Atomics.compareExchange(gate, 0, OUT, STOPPED) === IN) if (Atomics.wait(gate, 0, IN, LONGEST_MS) === 'timed-out') break
  }
}

/** The event loop's side: shut when the process ends. One listener for all engines; gone with the last. */
export function watchExit(gate: Int32Array): void {
  if (gates.size === 0) process.on('exit', shutAll)
  gates.add(gate)
}
export function unwatchExit(gate: Int32Array): void {
  gates.delete(gate)
  if (gates.size === 0) process.off('exit', shutAll)
}
