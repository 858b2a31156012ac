/** An error of a send that reached no broker says so: `stored: 'no'`, whatever was wrong. */
import t from 'tap'
import { number, object } from 'zod'
import { type AnyMiddleware, greenroom, GreenroomError, standard } from '../../index.ts'
import { open } from '../helpers/open.ts'

const odd: AnyMiddleware = {
  name: 'odd',
  send(batch) {
    for (const { message } of batch) {
      if (message.args[0] === 'nothing') return undefined as never
      if (message.args[0] === 'mine') throw new Error('mine')
      if (message.args[0] === 'maybe')
        throw new GreenroomError('BROKER_DOWN', 'Another send failed', { help: '', stored: 'maybe' })
    }
    return batch.map(sending =>
      sending.message.args[0] === 'rewrite' ? { ...sending, message: { ...sending.message, args: [new Map()] } } : sending,
    )
  },
}

t.test('what is wrong with a message', async t => {
  const { app } = open(t, { maxBytes: 1_000, middleware: [...standard(), odd] })
  const hello = app.actor((_what: unknown) => {}, { name: 'hello' })
  const input = object({ n: number() })
  const picky = app.actor(() => {}, { name: 'picky', input })
  const slow = app.actor(() => {}, { name: 'slow', input: input.refine(async () => false) })
  for (const [code, send] of [
    ['NOT_DATA', () => hello.send(new Date())],
    ['NOT_DATA', () => hello.sendMany([['fine'], [1n]])],
    ['NOT_DATA', () => app.send([hello.message(NaN)])],
    ['NOT_DATA', () => hello.send('rewrite')],
    ['BODY_TOO_LARGE', () => hello.send('x'.repeat(2_000))],
    ['SCHEMA_MISMATCH', () => picky.send({} as never)],
    ['SCHEMA_MISMATCH', () => slow.send({ n: 1 })],
    ['SCHEMA_MISMATCH', () => slow.sendMany([[{ n: 1 }]])],
    ['SCHEMA_MISMATCH', () => app.send([picky.message({} as never)])],
    ['MESSAGE_INVALID', () => app.send([{} as never])],
    ['MESSAGE_INVALID', () => hello.sendMany(['no list' as never])],
    ['OPTION_INVALID', () => app.send([{ ...hello.message(1), options: { maxRetries: 'x' } }])],
    ['OPTION_INVALID', () => hello.with({ id: 'x' }).sendMany([[1], [2]])],
    ['MIDDLEWARE_FAILED', () => hello.send('nothing')],
  ] as const)
    await t.rejects(send() as Promise<unknown>, { code, stored: 'no' }, code)
  const rejected = await hello.send('mine').catch((error: unknown) => error)
  t.strictSame(Object.keys(rejected as object), [], "another's error stays as it is")
  await t.rejects(hello.send('maybe'), { code: 'BROKER_DOWN', stored: 'maybe' }, 'and what says so itself')
  await app.close()
  await t.rejects(hello.send(1), { code: 'APP_CLOSED', stored: 'no' })
})

t.test('what is wrong with the app', async t => {
  for (const [broker, code] of [
    ['mongodb://db', 'BROKER_UNKNOWN'],
    [{ staging: 'memory:' }, 'BROKER_NOT_SET'],
    ['file:/x?synk=none', 'BROKER_INVALID'],
  ] as const) {
    const app = greenroom({ broker })
    await t.rejects(app.actor(() => {}, { name: 'hello' }).send(), { code, stored: 'no' })
    await app.close()
  }
})

t.test('a direct call stores nothing, and says nothing of it', async t => {
  const { app } = open(t)
  const picky = app.actor(() => {}, { name: 'picky', input: object({ n: number() }) })
  const error = (await picky({} as never).catch((error: unknown) => error)) as GreenroomError
  t.equal(error.code, 'SCHEMA_MISMATCH')
  t.equal(error.stored, undefined)
})
