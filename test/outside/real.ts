/**
 * The middleware on a real broker: `node real.js URL` does all in this process, `node real.js URL work` works until its input
 * ends, and `node real.js URL send` waits for the results of that worker. Prints what came of it, as JSON.
 */
import { once } from 'node:events'
import { make, told } from './actors.ts'

const [, , url = '', role] = process.argv
const { app, add, rebuild, pay, bank, settled } = make(url, '300ms')

if (role === 'send') {
  const sent = await add.send(20, 22)
  console.log(JSON.stringify({ sum: await sent.result({ timeout: '20s' }), again: await app.sent(sent.id).result() }))
} else if (role === 'work') {
  const worker = await app.work()
  process.stdin.resume()
  await once(process.stdin, 'end')
  await worker.close()
} else {
  const [first, second] = [await rebuild.send('acme', 1), await rebuild.send('acme', 2)]
  const sums = [await add.send(1, 2), await add.send(3, 4)].map(sent => sent.result())
  const worker = await app.work()
  const rebuilt = await first.result()
  const third = await rebuild.send('acme', 3)

  const failed = [await told((await pay.send(1)).result()), await told((await pay.send(2)).result())]
  const waiting = pay.with({ id: 'waiting' })
  const opened = settled('waiting', 'release')
  const sent = await waiting.send(3)
  await opened
  const asked = bank.asked
  bank.isUp = true
  const facts = {
    sums: await Promise.all(sums),
    stored: [first, second, third].map(({ stored, by }) => (by === undefined ? stored : { stored, by })),
    rebuilt,
    failed,
    asked,
    paid: await sent.result({ timeout: '20s' }),
    askedThen: bank.asked,
  }
  await worker.close()
  console.log(JSON.stringify(facts))
}
await app.close()
