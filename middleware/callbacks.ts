/** Sends another actor the result of this one, or its final failure, in the same write as the settlement. */
import type { Accepts, ForActor } from '../lib/actor-types.ts'
import type { Target } from '../lib/definition.ts'
import { type Failure, failureOf } from '../lib/failure.ts'
import type { Message } from '../lib/message.ts'
import { type Context, defineMiddleware, type Middleware } from '../lib/middleware.ts'
import { custom, type Option } from '../lib/options.ts'
import type { Outcome } from '../lib/outcome.ts'
import { callbackMessage } from './callback-message.ts'
import { parseTarget } from './retries.ts'

/** An actor that takes the result and the message. */
export interface OnSuccess extends ForActor {
  readonly type: Accepts<[result: this['result'], message: Message]>
}
/** An actor that takes the failure and the message. */
export type OnFailure = Accepts<[failure: Failure, message: Message]>

/** The options of `callbacks()`: of actors only. */
export type CallbackSpecs = {
  onSuccess: Option<OnSuccess, Target | undefined, false>
  onFailure: Option<OnFailure, Target | undefined, false>
}

/**
 * Callbacks. `onSuccess` is sent `(result, message)` once the message is done, `onFailure` `(failure, message)` once it is
 * given up (not at each failed attempt). Stored with the settlement where the broker can; a rerun makes the same id.
 * @example app.actor(resize, { name: 'resize', onSuccess: notify })
 */
export function callbacks(): Middleware<CallbackSpecs> {
  const options: CallbackSpecs = {
    onSuccess: custom<OnSuccess, Target | undefined>({ default: undefined, parse: parseTarget }),
    onFailure: custom<OnFailure, Target | undefined>({ default: undefined, parse: parseTarget }),
  }
  return defineMiddleware({
    name: 'callbacks',
    outside: ['retries'],
    options,
    applies: ({ onSuccess, onFailure }) => onSuccess !== undefined || onFailure !== undefined,
    after: withCallback,
  })
}

/** The outcome with the message that tells of it. */
function withCallback(context: Context<CallbackSpecs>, outcome: Outcome): Outcome {
  const {
    message,
    options: { onSuccess, onFailure },
  } = context
  if (outcome.kind === 'done' && onSuccess)
    return {
      ...outcome,
      then: [...(outcome.then ?? []), callbackMessage(context, 'onSuccess', onSuccess, [outcome.result ?? null, message])],
    }
  if ((outcome.kind === 'dead' || outcome.kind === 'failed') && onFailure) {
    const dead =
      outcome.kind === 'dead'
        ? outcome
        : { kind: 'dead' as const, reason: failureOf(outcome.error).message, error: outcome.error }
    const failure = dead.error === undefined ? { type: 'Dead', message: dead.reason } : failureOf(dead.error)
    return { ...dead, then: [...(dead.then ?? []), callbackMessage(context, 'onFailure', onFailure, [failure, message])] }
  }
  return outcome
}
