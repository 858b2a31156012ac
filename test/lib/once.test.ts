import t from 'tap'
import { memoryBroker } from '../../brokers/memory/index.ts'
import { greenroom, standard } from '../../index.ts'
import { open, openMoving } from '../helpers/open.ts'

t.test('once: an id is a duplicate for so long, also when its message is done, dead or gone', async t => {
  const { app, clock, until, memory } = await openMoving(t, { middleware: [...standard({ maxRetries: 0 })] })
  const page = app.actor(
    async (url: string) => {
      if (url.includes('bad')) throw new Error('no such page')
    },
    { name: 'page' },
  )
  const once = (id: string) => page.with({ id, once: '1h' })
  await app.work()
  for (const id of ['good', 'bad']) {
    t.match(await once(id).send(id), { id, stored: true })
    await until('settled')
    t.match(await once(id).send(id), { id, stored: false })
  }
  await memory.inspector.drop('default', ['bad'])
  t.match(await app.send([once('bad').message('bad')]), [{ stored: false }], 'also as plain data')
  clock.advance(3_600_000)
  t.match(await app.send([once('good').message('good')]), [{ stored: true }], 'and not for longer')
  t.match(await once('good').with({ once: undefined, id: 'other' }).send('good'), { stored: true })
})

t.test('once needs an id, and a broker that can remember one', async t => {
  const { app } = open(t)
  const page = app.actor((_url: string) => {}, { name: 'page' })
  t.throws(() => page.with({ once: '1h' }), { code: 'OPTION_INVALID', message: /once is given without an id.*with\(\{ id/ })
  t.throws(() => page.with({ id: 'a', once: 0 }), { code: 'OPTION_INVALID', message: /once cannot be 0/ })
  t.throws(() => page.with({ id: 'a', once: 'soon' as never }), { code: 'DURATION_INVALID' })
  const memory = memoryBroker()
  t.teardown(() => memory[Symbol.asyncDispose]())
  const forgetful = Object.assign(Object.create(memory) as typeof memory, {
    capabilities: { ...memory.capabilities, once: false },
  })
  const other = greenroom({ broker: forgetful })
  t.teardown(() => other.close())
  const there = other.actor((_url: string) => {}, { name: 'page' })
  const [refused, plain] = await Promise.allSettled([there.with({ id: 'a', once: '1h' }).send('a'), there.send('b')])
  t.match(refused, { reason: { code: 'BROKER_UNSUPPORTED', stored: 'no', message: /cannot remember an id/ } })
  t.match(plain, { value: { stored: true } }, 'its neighbours of the same turn are stored')
})
