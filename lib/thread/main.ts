/**
 * The program of a thread: imports what its worker's process did, finds the actor, runs it, and says what it came to. Its apps are
 * connected to the parent; none of them opens a broker, and none of them works.
 */
import { parentPort } from 'node:worker_threads'
import { systemClock } from '../clock.ts'
import type { Definition } from '../definition.ts'
import { systemId, systemRandom } from '../ids.ts'
import { callHandler, Refused } from '../innermost.ts'
import { type Internals, internalsOf } from '../internals.ts'
import type { Live } from '../live.ts'
import type { Logger } from '../log.ts'
import { rememberedApps, shared } from '../registry.ts'
import { Run } from '../run.ts'
import { hasGeneratedId } from '../sender.ts'
import { checkMessage } from '../sending.ts'
import { carry, carryFacts, withBuffers } from './carry.ts'
import { notLoaded } from './failures.ts'
import type { Came, Said, Told } from './protocol.ts'
import { readTypeScript } from './typescript.ts'
import { connectToParent, createParent } from './proxy.ts'

interface Loaded {
  readonly definition: Definition
  readonly app: Internals
  readonly live: Live
}

const port = parentPort
if (port) start(said => port.postMessage(said))

function start(say: (said: Said) => void): void {
  const parent = createParent(say)
  const loaded = new Map<string, Loaded>(),
    imports = new Map<string, Promise<unknown>>(),
    names = new WeakMap<object, string>() // apps as the parent calls them
  let run: Run | undefined,
    atWork = () => {}
  const log = logger(say)

  shared.thread = {
    connect: app => connectToParent(parent, () => names.get(app) ?? internalsOf(app).place),
    working() {
      atWork()
      return new Promise(() => {})
    },
  }

  /** Until it is loaded, or has come to its `app.work()`, which in a thread never goes on. */
  function imported(url: string): Promise<unknown> {
    let found = imports.get(url)
    if (!found) {
      const working = new Promise<void>(resolve => (atWork = resolve))
      const module = readTypeScript(url).then(() => import(url))
      imports.set(url, (found = Promise.race([module, working])))
    }
    return found
  }

  async function load(actor: string, app: string, groups: readonly (readonly string[])[]): Promise<Loaded> {
    for (const group of groups) {
      for (const url of group)
        await imported(url).catch((error: unknown) => {
          throw notLoaded(actor, [url], `could not be loaded: ${error instanceof Error ? error.message : String(error)}`, error)
        })
      const apps = rememberedApps().filter(made => internalsOf(made).definitions.get(actor)?.handler)
      const made = apps.find(made => internalsOf(made).place === app) ?? apps[0]
      if (!made) continue
      names.set(made, app)
      const internals = internalsOf(made)
      return { definition: internals.definitions.get(actor)!, app: internals, live: await internals.open() }
    }
    throw notLoaded(actor, groups.flat(), 'does not define it when it is imported')
  }

  async function execute({ message, attempt, deliveries }: Extract<Told, { kind: 'run' }>): Promise<void> {
    const { definition, app, live } = loaded.get(message.actor)!
    const { services } = live
    run = new Run(withBuffers(message) as typeof message, attempt, deliveries, definition.options, {
      clock: systemClock,
      random: systemRandom,
      newId: systemId,
      log,
      push: batch => services.push(batch),
      get store() {
        return services.store
      },
    })
    say({ kind: 'came', came: await cameTo(run, definition, app) })
  }

  port!.on('message', (told: Told) => {
    switch (told.kind) {
      case 'load':
        load(told.actor, told.app, told.groups).then(
          found => {
            loaded.set(told.actor, found)
            say({ kind: 'loaded', actor: told.actor })
          },
          (error: unknown) => say({ kind: 'missing', actor: told.actor, error: carry(error) }),
        )
        return
      case 'run':
        void execute(told)
        return
      case 'abort':
        return run?.abort(told.reason)
      case 'answer':
        return parent.answered(told)
      default:
        told satisfies never
    }
  })
}

async function cameTo(run: Run, { options }: Definition, app: Internals): Promise<Came> {
  const { actor } = run.message
  try {
    const result: unknown = await callHandler(run, app.definitions.get(actor)!)
    run.over = true
    if (result instanceof Refused) {
      const { outcome } = result
      return outcome.kind === 'release'
        ? outcome
        : {
            kind: 'dead',
            reason: outcome.kind === 'dead' ? outcome.reason : '',
            error: carry('error' in outcome ? outcome.error : undefined, options),
          }
    }
    if (result !== undefined) app.encoder.check(result, 'the result', actor)
    const then = run.followUps?.map(message => {
      const { args, options, actor } = checkMessage(message)
      app.encoder.check(args, 'args', actor)
      return { message: { ...message, options: { ...options } }, generated: hasGeneratedId(message) }
    })
    return structuredClone({ kind: 'done', result, ...(then && { then }) }) as Came
  } catch (error) {
    run.over = true
    return { kind: 'failed', error: carry(error, options) }
  }
}

/** Lines go to the parent's logger. */
function logger(say: (said: Said) => void): Logger {
  const at = (level: keyof Logger) => (facts: object | string, text?: string) =>
    say({
      kind: 'log',
      level,
      facts: typeof facts === 'string' ? facts : carryFacts(facts),
      ...(text !== undefined && { text: String(text) }),
    })
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
