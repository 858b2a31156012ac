/** The middleware on memory and a clock that is moved. Prints what came of it, as JSON. */
import { testing } from 'greenroom/testing'
import { make, told } from './actors.ts'

const { app, add, rebuild, pay, bank } = make('file:never-opened')
const t = await testing(app)

const late = told((await add.send(0, 0)).result({ timeout: '1m' }))
await new Promise(resolve => setImmediate(resolve))
t.clock.advance(60_000)
const sums = [add.send(1, 2), add.send(3, 4)].map(async sent => (await sent).result())
const [first, second] = [await rebuild.send('acme', 1), await rebuild.send('acme', 2)]
await t.join()
const third = await rebuild.send('acme', 3)

for (const cents of [1, 2]) await pay.send(cents)
await t.join()
const waiting = await pay.send(3)
await t.advance('29s')
const states = [await waiting.state(), bank.asked]
bank.isUp = true
await t.advance('1s')

const facts = {
  late: (await late)?.toString().replace(/\b[0-9a-f-]{36}\b/, 'ID'),
  sums: await Promise.all(sums),
  stored: [first, second, third].map(({ stored, by }) => (by === undefined ? stored : { stored, by })),
  rebuilt: await first.result(),
  dead: t.dead.map(({ message: { args } }) => args[0]),
  states,
  paid: await waiting.result(),
  asked: bank.asked,
}
await t[Symbol.asyncDispose]()
console.log(JSON.stringify(facts))
