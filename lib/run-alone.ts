/** A handler by itself: no queue, no middleware, with the `current()` that a test asks for. */
import { GreenroomError, listed } from './errors.ts'
import type { Internals } from './internals.ts'
import { shared } from './registry.ts'
import { Run, sendFollowUps } from './run.ts'
import { validate } from './schema.ts'

/** @throws {GreenroomError} `ACTOR_NOT_IMPLEMENTED`, `SCHEMA_MISMATCH`, and whatever the handler throws */
export async function runAlone(
  app: Internals,
  name: string,
  args: readonly unknown[],
  { attempt = 0, signal }: { readonly attempt?: number; readonly signal?: AbortSignal } = {},
): Promise<unknown> {
  const definition = app.definitions.get(name)
  if (!definition?.handler) {
    const here = [...app.definitions.values()].filter(({ handler }) => handler).map(({ name }) => name)
    throw new GreenroomError('ACTOR_NOT_IMPLEMENTED', `No code for the actor ${JSON.stringify(name)} is here`, {
      help: `Import the module that implements it; here are ${listed(here)}`,
    })
  }
  const { services, newId, clock } = await app.open()
  const { queue, options, input, handler } = definition
  const run = new Run(
    { id: newId(), queue, actor: name, args, options: {}, timestamp: clock.now() },
    attempt,
    1,
    options,
    services,
  )
  const stop = () => run.abort('cancelled')
  if (signal?.aborted) stop()
  else signal?.addEventListener('abort', stop, { once: true })
  try {
    const given = input ? [await validate(input, args[0], name)] : args
    const result = await shared.runs.run(run, async () => handler(...given))
    await sendFollowUps(run)
    return result
  } finally {
    signal?.removeEventListener('abort', stop)
  }
}
