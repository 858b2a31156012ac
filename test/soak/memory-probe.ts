/** Loaded first by every thread of the run `memory`: tells what its heap holds after a collection, to whoever asks all of them. */
import { BroadcastChannel, isMainThread } from 'node:worker_threads'

if (!isMainThread) {
  const channel = new BroadcastChannel('greenroom-soak-heap') as BroadcastChannel & { unref(): void }
  channel.unref()
  channel.addEventListener('message', event => {
    // The answers of other threads come here as well.
    if ((event as unknown as { data: unknown }).data !== 'how much?') return
    globalThis.gc!()
    globalThis.gc!()
    const { heapUsed, external } = process.memoryUsage()
    channel.postMessage((heapUsed + external) / 1e6)
  })
}
