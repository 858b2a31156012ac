/** `unique()`: of messages with one key only one waits. The next is skipped until that one runs, for `uniqueFor` at most. */
import { type ArgsIn, custom, type Duration, defineMiddleware, duration, type ForActor, type Message } from 'greenroom'

/** A function of the actor's own arguments. */
interface Unique extends ForActor {
  readonly type: (...args: ArgsIn<this>) => string
}
type KeyOf = (...args: readonly unknown[]) => string

export const unique = (atMost: Duration = '1h') =>
  defineMiddleware({
    name: 'unique',
    needs: ['store'],
    inside: ['circuitBreaker'], // what is put back without having run still waits
    options: { unique: custom<Unique, KeyOf | undefined>({ default: undefined, parse: keyOf }), uniqueFor: duration(atMost) },
    applies: ({ unique }) => unique !== undefined,

    async send(batch, { store }) {
      const claims = batch.flatMap(({ message, options: { unique, uniqueFor } }) =>
        unique ? [{ ...claimOf(message, unique), id: message.id, ttlMs: uniqueFor }] : [],
      )
      if (claims.length === 0) return batch
      const made = await store.set(claims.map(({ key, value, ttlMs }) => ({ key, value, ttlMs, if: 'absent' })))
      const holders = await store.get(claims.map(({ key }) => key))
      // A message that is sent again, or whose claim outlived a failed send, finds its own.
      const isMine = (i: number) => made[i] || Buffer.from(holders[i] ?? []).equals(claims[i]!.value)
      const late = new Set(claims.filter((_, i) => !isMine(i)).map(({ id }) => id))
      return batch.filter(({ message }) => !late.has(message.id))
    },

    async process({ message, options, store }, next) {
      const { key, value } = claimOf(message, options.unique!)
      await store.drop([{ key, if: value }])
      return next()
    },
  })

const claimOf = ({ id, actor, args }: Message, unique: KeyOf) => ({
  key: `unique/${actor}/${unique(...args)}`,
  value: Buffer.from(id),
})

function keyOf(value: unknown): KeyOf {
  if (typeof value === 'function') return value as KeyOf
  throw new TypeError('unique takes a function of the arguments, which returns the key')
}
