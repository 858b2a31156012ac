/** `results()`: keeps what an actor returned for a while, so that whoever has the handle can wait for it, in any process. */
import { type Duration, defineMiddleware, duration, type Outcome, perMessage } from 'greenroom'

/** A topic with one entry: a result that came before the wait and one that ends it are found alike. */
const topic = (id: string) => `result/${id}`
type Kept = { readonly value?: unknown } | { readonly failed: string }

export const results = (ttl: Duration = '10m') =>
  defineMiddleware({
    name: 'results',
    needs: ['store'],
    outside: ['retries'], // sees what became of the message, not of an attempt
    options: { resultTtl: perMessage(duration(ttl)) },

    async process({ message, options, store }, next) {
      const outcome = await next()
      const kept = keptOf(outcome)
      // Before it is settled: a run that is lost after this runs again, and says it again.
      if (kept) await store.append([{ topic: topic(message.id), value: encode(kept), ttlMs: options.resultTtl }])
      return outcome
    },

    provides: {
      results: {
        async result({ id, services }, { timeout = '10s', signal } = {}) {
          const { store, clock } = await services()
          const end = clock.monotonic() + duration('0s').parse(timeout, 'timeout')
          for (;;) {
            const waitMs = Math.max(0, end - clock.monotonic())
            const [found = []] = await store.read([{ topic: topic(id) }], { waitMs, ...(signal && { signal }) })
            const last = found.at(-1) // of an id that was used again, the newest
            if (last) return valueOf(decode(last.value))
            signal?.throwIfAborted()
            if (clock.monotonic() >= end) throw new Error(`No result of ${id} came within ${timeout}`)
          }
        },
      },
    },
  })

/** What is final. Where nothing retries, a failure is. */
function keptOf(outcome: Outcome): Kept | undefined {
  if (outcome.kind === 'done') return { value: outcome.result }
  if (outcome.kind === 'dead') return { failed: outcome.reason }
  return outcome.kind === 'failed' ? { failed: String(outcome.error) } : undefined
}

function valueOf(kept: Kept): unknown {
  if ('failed' in kept) throw new Error(`It was given up: ${kept.failed}`)
  return kept.value
}

const encode = (kept: Kept) => new TextEncoder().encode(JSON.stringify(kept))
const decode = (bytes: Uint8Array) => JSON.parse(new TextDecoder().decode(bytes)) as Kept
