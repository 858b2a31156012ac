/** `circuitBreaker()`: after so many failures within a while, an actor's messages wait for a while without running. */
import { count, defineMiddleware, duration } from 'greenroom'

export const circuitBreaker = () =>
  defineMiddleware({
    name: 'circuitBreaker',
    needs: ['store'],
    inside: ['retries'], // sees each failed attempt, not what retries made of it
    options: { breakAfter: count(0), breakWithin: duration('1m'), breakFor: duration('30s') },
    applies: ({ breakAfter }) => breakAfter > 0,

    async process({ message: { actor }, options: { breakAfter, breakWithin, breakFor }, store, clock, newId }, next) {
      const [open] = await store.get([`breaker/${actor}`])
      if (open) return { kind: 'release', afterMs: Math.max(1, read(open) - clock.now()), reason: 'the circuit is open' }

      const outcome = await next()
      if (outcome.kind !== 'failed') return outcome
      // A set of failures for each window of time: counted exactly, whichever worker they happen in.
      const key = `breaker/${actor}/${Math.floor(clock.now() / breakWithin)}`
      const [failures] = await store.gather([{ key, member: newId(), size: breakAfter, ttlMs: breakWithin }])
      if (failures!.count >= breakAfter)
        await store.set([{ key: `breaker/${actor}`, value: written(clock.now() + breakFor), ttlMs: breakFor }])
      return outcome
    },
  })

const written = (time: number) => new TextEncoder().encode(`${time}`)
const read = (bytes: Uint8Array) => Number(new TextDecoder().decode(bytes))
