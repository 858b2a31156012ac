/** The whole way of a message in a process without `__proto__`, and in one whose prototypes are frozen. */
import { existsSync } from 'node:fs'
import t from 'tap'
import { runNode } from '../helpers/run-node.ts'
import { root } from '../root.ts'

// From the compiled tree where there is one, as the runner makes it; else the sources through tsx.
const compiled = import.meta.url.includes('/.build/')
const tree = compiled ? `${root}.build/` : root
const ending = compiled ? 'js' : 'ts'

const program = `
  const { current, greenroom, retryAfter, standard } = await import(${JSON.stringify(`file://${tree}index.${ending}`)})
  const { memoryBroker } = await import(${JSON.stringify(`file://${tree}brokers/memory/index.${ending}`)})
  const freeze = process.argv.includes('freeze')
  if (freeze) for (const made of [Object, Array, Function, Map, Set, Promise, Error]) Object.freeze(made.prototype)
  const broker = memoryBroker()
  const app = greenroom({ broker, middleware: standard({ minBackoff: 0 }) })
  const seen = []
  const next = app.actor((value, message) => { seen.push(['next', value, message.id]) }, { name: 'next' })
  const first = app.actor(async data => {
    const { attempt, after } = current()
    after(next.message('after', { id: 'none' }))
    if (attempt === 0) throw retryAfter(0)
    if (attempt === 1) throw new TypeError('x')
    seen.push(['first', Object.keys(data)])
    return { constructor: 1 }
  }, { name: 'first', onSuccess: next, maxRetries: 3 })
  await first.with({ id: 'a', priority: 'high', maxAge: '1h' }).send(JSON.parse('{"__proto__":{"isAdmin":true},"constructor":1,"toString":2}'))
  await app.send([JSON.parse(JSON.stringify(first.with({ id: 'b' }).message({})))])
  await broker.push([{ id: 'c', queue: 'default', attempt: 0, priority: 1, body: Buffer.from('{"options":{"__proto__":1}}') }])
  await (await app.work({ until: 'idle' })).stopped
  const { dead, ready } = await broker.inspector.counts('default')
  await app.close()
  console.log(JSON.stringify({ seen: seen.map(([what]) => what).sort(), keys: seen.find(([what, keys]) => what === 'first' && keys.length > 0)[1], dead, ready, polluted: ({}).isAdmin ?? null }))
`

for (const [what, nodeArgs, args] of [
  ['without __proto__', ['--disable-proto=throw'], []],
  ['with frozen prototypes', [], ['freeze']],
  ['with both', ['--disable-proto=throw'], ['freeze']],
] as const) {
  t.test(`messages are sent and run in a process ${what}`, async t => {
    t.ok(existsSync(`${tree}index.${ending}`))
    const loader = compiled ? [] : ['--import', 'tsx']
    const { stdout, stderr, code } = await runNode([...nodeArgs, ...loader, '--input-type=module', '-e', program, ...args])
    t.equal(code, 0, stderr)
    t.strictSame(JSON.parse(stdout), {
      seen: ['first', 'first', 'next', 'next', 'next', 'next'],
      keys: ['__proto__', 'constructor', 'toString'],
      dead: 1,
      ready: 0,
      polluted: null,
    })
  })
}
