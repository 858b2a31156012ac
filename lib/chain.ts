/**
 * The chain: puts middleware in a legal order, and checks what each declares. First is outermost.
 * A middleware says where it belongs (`inside`, `outside`); the sort is stable, so that `[...standard(), results()]` and
 * `[results(), ...standard()]` are one chain where they say so, and the list's own order elsewhere.
 */
import { GreenroomError, listed } from './errors.ts'
import type { AnyMiddleware } from './middleware.ts'
import { shown } from './duration.ts'

/** @throws {GreenroomError} `MIDDLEWARE_INVALID`, `CHAIN_DUPLICATE`, `CHAIN_CYCLE` */
export function orderChain(list: readonly AnyMiddleware[]): readonly AnyMiddleware[] {
  if (!Array.isArray(list))
    throw new GreenroomError('MIDDLEWARE_INVALID', `\`middleware\` is ${shown(list)} and not a list`, {
      help: 'Write middleware: [...standard(), yours()]',
    })
  const byName = new Map<string, AnyMiddleware>()
  for (const middleware of list) {
    check(middleware)
    if (byName.has(middleware.name))
      throw new GreenroomError('CHAIN_DUPLICATE', `Two middleware are called ${middleware.name}`, {
        help: 'Compose it once; one that may stand twice takes `as`',
      })
    byName.set(middleware.name, middleware)
  }
  const before = new Map<string, Set<string>>(list.map(({ name }) => [name, new Set()])) // name -> those that must come first
  for (const { name, inside = [], outside = [] } of list) {
    for (const outer of inside) if (byName.has(outer)) before.get(name)!.add(outer)
    for (const inner of outside) before.get(inner)?.add(name)
  }
  const ordered: AnyMiddleware[] = [],
    waiting = new Set(list)
  while (waiting.size > 0) {
    const free = [...waiting].find(({ name }) => [...before.get(name)!].every(outer => !waiting.has(byName.get(outer)!)))
    if (!free)
      throw new GreenroomError(
        'CHAIN_CYCLE',
        `These middleware each want to be inside another: ${listed([...waiting].map(({ name }) => name))}`,
        { help: 'Remove an `inside` or `outside` of one of them' },
      )
    waiting.delete(free)
    ordered.push(free)
  }
  return ordered
}

function check(middleware: unknown): void {
  const { name, process, before, after, applies, send, setup, on = {} } = (middleware ?? {}) as Partial<AnyMiddleware>
  if (typeof middleware !== 'object' || typeof name !== 'string' || name === '') {
    // a function has a name too
    throw new GreenroomError('MIDDLEWARE_INVALID', `${shown(middleware)} in \`middleware\` is not a middleware`, {
      help:
        typeof middleware === 'function'
          ? 'Call it: `retries()`, not `retries`'
          : Array.isArray(middleware)
            ? 'Spread it: `...standard()`'
            : 'Give what defineMiddleware() returns',
    })
  }
  const observers = Object.fromEntries(Object.entries(on).map(([kind, listen]) => [`on.${kind}`, listen]))
  for (const [hook, value] of Object.entries({ process, before, after, applies, send, setup, ...observers })) {
    if (value !== undefined && typeof value !== 'function')
      throw new GreenroomError('MIDDLEWARE_INVALID', `${name}.${hook} is not a function`, {
        help: 'Leave it out or give a function',
      })
  }
}
