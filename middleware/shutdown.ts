/** Tells opted-in handlers at once that their worker stops; the others may finish within the grace. */
import { defineMiddleware, type Middleware } from '../lib/middleware.ts'
import type { Context } from '../lib/middleware.ts'
import type { Message } from '../lib/message.ts'
import { flag, knownOptions, type Option, perMessage } from '../lib/options.ts'

/** The option of `shutdown()`. It may also be given to a message. */
export type ShutdownSpecs = { notifyShutdown: Option<boolean, boolean, true> }

/**
 * Shutdown notifications: an actor with `notifyShutdown: true` has its signal aborted as soon as the worker begins to stop,
 * for long work that can save its place. It is released, which costs no attempt, and runs again elsewhere.
 * @param defaults `notifyShutdown`: for actors that do not say. @default false
 */
export function shutdown(defaults: { readonly notifyShutdown?: boolean | undefined } = {}): Middleware<ShutdownSpecs> {
  const { notifyShutdown = false } = knownOptions(defaults, ['notifyShutdown'], 'shutdown()')
  const opted = new Map<Message, Context['abort']>() // by message: another worker of this app may stop, and it is not their affair
  const options: ShutdownSpecs = { notifyShutdown: perMessage(flag(flag(false).parse(notifyShutdown, 'notifyShutdown'))) }
  return defineMiddleware({
    name: 'shutdown',
    inside: ['callbacks', 'retries'],
    options,
    applies: ({ notifyShutdown }) => notifyShutdown,
    before({ message, abort }) {
      opted.set(message, abort)
      return undefined
    },
    after({ message }, outcome) {
      opted.delete(message)
      return outcome
    },
    on: {
      stopping({ messages }) {
        for (const message of messages) opted.get(message)?.('shutdown')
      },
    },
  })
}
