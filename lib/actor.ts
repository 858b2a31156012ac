/** An actor: the function as before, and a sender. Called directly it runs here and now, in an inert context. */
import type { Definition } from './definition.ts'
import { current } from './current.ts'
import { shared } from './registry.ts'
import { Run, sendFollowUps } from './run.ts'
import { validate } from './schema.ts'
import { createSender, sendable, type SenderHost, type SenderMethods } from './sender.ts'

type Callable = ((...args: unknown[]) => unknown) & SenderMethods

export function createActor(host: SenderHost, own: Definition, definitions: ReadonlyMap<string, Definition>): Callable {
  // Hot reload: an older copy of the actor sends with the newest definition's queue and options.
  const definition = () => definitions.get(own.name) ?? own
  const call = (...args: unknown[]): unknown => {
    const { input, handler, name } = own
    if (!input) return inContext(host, own, () => handler!(...args), args)
    return (async () => {
      const valid = await validate(input, args[0], name)
      return inContext(host, own, () => handler!(valid), args)
    })()
  }
  return sendable(call, own.name, createSender(host, definition, undefined))
}

/** Inside a run the call is a part of it; outside it gets an inert run: attempt 0, a signal that nobody aborts. */
function inContext(
  host: SenderHost,
  { name, queue, options }: Definition,
  body: () => unknown,
  args: readonly unknown[],
): unknown {
  if (current.maybe()) return body()
  const run = new Run(
    { id: host.newId(), queue, actor: name, args, options: {}, timestamp: host.now() },
    0,
    1,
    options,
    host.services,
  )
  const result = shared.runs.run(run, body)
  const send = async (value: unknown) => {
    await sendFollowUps(run)
    return value
  }
  if (result instanceof Promise) return result.then(send)
  if (run.followUps)
    send(undefined).catch((error: unknown) => host.services.log.error({ err: error }, 'what after() was given could not be sent'))
  run.over = true
  return result
}
