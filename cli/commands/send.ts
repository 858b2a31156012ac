import type { App } from '../../lib/app.ts'
import { nearest } from '../../lib/did-you-mean.ts'
import { shown } from '../../lib/duration.ts'
import { GreenroomError, listed } from '../../lib/errors.ts'
import { failureOf } from '../../lib/failure.ts'
import { internalsOf } from '../../lib/internals.ts'
import { appToAsk, type Found } from '../apps.ts'
import { durationOf } from '../args.ts'
import { command } from '../command.ts'
import { EXIT } from '../exit.ts'
import { usage } from '../failure.ts'
import { appOf, checkThere, TARGET_FLAGS } from '../target.ts'
import { safe } from '../text.ts'

export const send = command({
  name: 'send',
  usage: '<actor> [json...]',
  summary: 'Send a message: each further argument is a JSON value.',
  notes: [
    'A word that is not JSON is a string: greenroom send hello Ada sends "Ada". For the string 42 write \'"42"\'.',
    'Without --module nothing checks that an actor of this name exists: a worker that knows it must serve the queue.',
  ],
  flags: {
    queue: { type: 'string', value: 'name', help: "The queue (default: the actor's with --module, else default)" },
    delay: { type: 'string', value: 'duration', help: 'Not before so long: 30s, 5m, 2h' },
    at: { type: 'string', value: 'time', help: 'Not before this time, ISO 8601: 2030-01-31T09:00:00Z' },
    priority: { type: 'string', value: 'word', help: 'high, normal or low' },
    id: { type: 'string', value: 'id', help: 'The id: a message that is there with the same id is not stored twice' },
    json: { type: 'boolean', help: 'One line of JSON' },
    ...TARGET_FLAGS,
    module: {
      type: 'string',
      value: 'file',
      help: 'The module with the actor: sends as its app does, and checks name and schema',
    },
  },
  examples: [
    'greenroom send hello \'"Ada"\'',
    "greenroom send resize 'https://example.com/a.png' 300 --queue images",
    'greenroom send report \'{"year":2030}\' --delay 5m --module jobs.ts',
  ],
  arity: [1, Infinity],
  async run({ positionals: [actor = '', ...texts], values }, io) {
    const args = texts.map(argOf)
    const { queue, delay, at, priority, id } = values
    const { app, internals } = await appOf(values, io, (found, module) => appWith(found, module, actor))
    try {
      checkThere(internals, io, { mayMake: true })
      const target = queue ?? internals.definitions.get(actor)?.queue ?? 'default'
      const options = {
        ...(delay === undefined ? {} : { delay: durationOf(delay, '--delay') }),
        ...(at === undefined ? {} : { at: timeOf(at) }),
        ...(priority === undefined ? {} : { priority }),
        ...(id === undefined ? {} : { id }),
      }
      const sender = sendable(app, actor, target)
      const sent = await (Object.keys(options).length > 0 ? sender.with(options) : sender).send(...args)
      const state = await stateOf(sent)
      const { stored, by } = sent
      if (values.json) io.print(safe(JSON.stringify({ id: sent.id, stored, by, actor, queue: target, state })))
      else if (stored) {
        const guessed = queue === undefined && values.module === undefined ? ' (--queue or --module says another)' : ''
        io.print(safe(`sent ${sent.id} to ${actor}, queue ${target}${guessed}${state === undefined ? '' : `: ${state}`}`))
      } else
        io.print(
          safe(
            `not stored${by === undefined ? ': a message of this id is there' : ` by the middleware ${by}`}: ${sent.id}${state === undefined ? '' : ` (${state})`}`,
          ),
        )
      return EXIT.ok
    } finally {
      await app.close()
    }
  },
})

interface Sendable {
  send(
    ...args: readonly unknown[]
  ): Promise<{ readonly id: string; readonly stored: boolean; readonly by?: string | undefined; state(): Promise<string> }>
  with(options: object): Sendable
}

/** The name of an actor is known at run time only, and so are its options. */
const sendable = (app: App, actor: string, queue: string): Sendable => {
  const definition = internalsOf(app).definitions.get(actor)
  const declared = app.declare(actor, { queue: definition?.queue ?? queue } as never) as unknown as Sendable
  return definition && definition.queue !== queue ? declared.with({ queue }) : declared
}

/** A JSON value, or a bare word. @throws {CliError} for what begins as JSON and is none */
export function argOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    if (!/^\s*["[{]/.test(text)) return text
    throw usage(
      `${shown(text)} begins as JSON and is none (${failureOf(error).message})`,
      'Quote it for the shell: \'{"year":2030}\'',
    )
  }
}

function timeOf(text: string): number {
  const time = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : NaN
  if (Number.isFinite(time)) return time
  throw usage(`--at cannot be ${shown(text)}`, 'Give a time in ISO 8601, for example 2030-01-31T09:00:00Z')
}

function appWith(found: readonly Found[], module: string, actor: string): Found {
  const able = found.filter(({ internals }) => internals.definitions.has(actor))
  if (found.length === 0 || able.length > 0) return appToAsk(able, module)
  const known = found.flatMap(({ internals }) => [...internals.definitions.keys()]),
    near = nearest(actor, known)
  throw usage(`${module} has no actor ${shown(actor)}`, near === undefined ? `It has ${listed(known)}` : `Did you mean ${near}?`)
}

/** Where it is now; undefined on a broker that cannot be asked. */
async function stateOf(sent: { state(): Promise<string> }): Promise<string | undefined> {
  try {
    return await sent.state()
  } catch (error) {
    if (error instanceof GreenroomError && error.code === 'BROKER_UNSUPPORTED') return undefined
    throw error
  }
}
