/** One structured line an event, through any logger with pino's interface. An observer: it can never change or break a run. */
import { shown } from '../lib/duration.ts'
import { GreenroomError } from '../lib/errors.ts'
import { failureOf } from '../lib/failure.ts'
import { checkLogger, type Logger } from '../lib/log.ts'
import type { Message } from '../lib/message.ts'
import { defineMiddleware, type Middleware } from '../lib/middleware.ts'
import { knownOptions } from '../lib/options.ts'

/** Where `logging()` writes, and whether it shows arguments. */
export interface LoggingOptions {
  /** pino, or anything with its `info(facts, text)`. */
  readonly log: Logger
  /** What to log of a message's arguments. They may hold secrets. @default nothing */
  readonly args?: ((message: Message) => unknown) | undefined
}

/**
 * Logs what happens to messages: `info` when one is done, `warn` when it will be tried again, `error` when it is given up.
 * No arguments are logged unless `args` says which.
 * @throws {GreenroomError} `OPTION_UNKNOWN`, `OPTION_INVALID`
 * @example middleware: [...standard(), logging({ log: pino() })]
 */
export function logging(options: LoggingOptions): Middleware {
  const { log, args } = knownOptions(options, ['log', 'args'], 'logging()')
  checkLogger(log)
  if (args !== undefined && typeof args !== 'function')
    throw new GreenroomError('OPTION_INVALID', `args cannot be ${shown(args)}`, {
      help: 'Give a function: message => message.args',
    })
  const facts = (message: Message) => ({
    id: message.id,
    actor: message.actor,
    queue: message.queue,
    ...(args && { args: args(message) }),
  })
  return defineMiddleware({
    name: 'logging',
    on: {
      sent: ({ message, stored, by }) => log.debug({ ...facts(message), stored, ...(by !== undefined && { by }) }, 'sent'),
      started: ({ message, attempt, deliveries }) => log.debug({ ...facts(message), attempt, deliveries }, 'started'),
      settled({ message, outcome, attempt, ms, settled }) {
        const all = { ...facts(message), attempt, ms: Math.round(ms), ...(settled === 'lost' && { settled }) }
        switch (outcome.kind) {
          case 'done':
            return log.info(all, 'done')
          case 'release':
            return log.info({ ...all, afterMs: outcome.afterMs, reason: outcome.reason }, 'released')
          case 'retry':
            return log.warn({ ...all, afterMs: outcome.afterMs, err: failureOf(outcome.error) }, 'failed, will be tried again')
          case 'dead':
            return log.error(
              { ...all, reason: outcome.reason, ...(outcome.error !== undefined && { err: failureOf(outcome.error) }) },
              'dead',
            )
          case 'failed':
            return log.error({ ...all, err: failureOf(outcome.error) }, 'dead: failed, and no middleware retries it')
          default:
            return outcome satisfies never
        }
      },
      rejected: event => log.error(event, 'dead: not a message'),
      stuck: ({ message, reason, stuck }) =>
        log.warn({ ...facts(message), reason, stuck }, 'a handler goes on after its signal was aborted'),
      stopping: ({ running, graceMs }) => log.info({ running, graceMs }, 'stopping'),
      trouble: ({ what, error }) => log.error({ err: failureOf(error) }, what),
    },
  })
}
