/** What docs/security.md and docs/guarantees.md say of hostile input, where no other test says it. */
import t from 'tap'
import { oneLine } from '../lib/printable.ts'
import { open } from './helpers/open.ts'

const body = (options: object) =>
  Buffer.from(
    JSON.stringify({
      queue_name: 'default',
      actor_name: 'hello',
      args: [],
      kwargs: {},
      options,
      message_id: 'x',
      message_timestamp: 0,
    }),
  )

t.test(
  'what cannot be decoded, and options that nobody would accept, are dead letters with their bytes, and the worker goes on',
  async t => {
    const { app, memory, until } = open(t)
    let runs = 0
    const hello = app.actor(async () => void runs++, { name: 'hello' })
    const hostile = {
      text: Buffer.from('hello'),
      empty: Buffer.alloc(0),
      bytes: Buffer.from([0xff, 0xfe, 0]),
      deep: Buffer.from('['.repeat(100_000)),
      foreign: Buffer.from('{"actor_name":"hello"}'),
      prototype: body(JSON.parse('{"__proto__":{"x":1}}') as object),
      retries: body({ max_retries: 1e9 }),
      limit: body({ time_limit: 'soon' }),
    }
    await memory.open(['default'])
    await memory.push(
      Object.entries(hostile).map(([id, body]) => ({ id, queue: 'default', body, attempt: 0, priority: 1 as const })),
    )
    await hello.send()
    const worker = await app.work()
    await until('rejected', Object.keys(hostile).length)
    await until('settled', 1)
    await worker.close()
    t.equal(runs, 1, 'what came behind them ran')
    const { entries } = await memory.inspector.list('default', 'dead')
    t.strictSame(entries.map(({ envelope: { id } }) => id).toSorted(), Object.keys(hostile).toSorted())
    for (const { envelope, reason } of entries) {
      t.strictSame(Buffer.from(envelope.body), hostile[envelope.id as keyof typeof hostile], envelope.id)
      t.match(reason, /^(?:undecodable|invalid options): /)
    }
  },
)

t.test('a log line is one line, whatever it is about', async t => {
  t.equal(oneLine('a\r\nb\u001b[31mc\u2028d\u202ee'), 'a\\u000d\\u000ab\\u001b[31mc\\u2028d\\u202ee')
  t.equal(oneLine('x'.repeat(9_000)).length, 8_193)
})
