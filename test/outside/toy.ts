/** Runs the published rules on the toy broker, and an app. Prints what came of it, as JSON. */
import { greenroom } from 'greenroom'
import { type BrokerTarget, brokerRules, runBrokerRules } from 'greenroom/conformance'
import { movingClock } from 'greenroom/testing'
import { Shelf, toyBroker } from './toy-broker.ts'

const clock = movingClock()
const shelves = new Map<string, Shelf>()
const target: BrokerTarget = {
  shared: true,
  async open(namespace = 'greenroom') {
    const shelf = shelves.get(namespace) ?? new Shelf()
    shelves.set(namespace, shelf)
    return toyBroker(clock, shelf)
  },
  async advance(ms) {
    clock.advance(ms)
    await new Promise(resolve => setImmediate(resolve))
  },
  async crash() {
    throw new Error('Only rules of timed leases crash a consumer')
  },
}
const passed: string[] = []
const failed: string[] = []
const excluded: { readonly rule: string; readonly missing: readonly string[] }[] = []
await runBrokerRules(brokerRules, target, (rule, verdict) => {
  if (verdict.kind === 'passed') passed.push(rule)
  else if (verdict.kind === 'failed') failed.push(`${rule}: ${String(verdict.error)}`)
  else excluded.push({ rule, missing: verdict.missing })
})

let ran = (_name: string) => {}
const running = new Promise<string>(resolve => {
  ran = resolve
})
const app = greenroom({ broker: toyBroker() })
const hello = app.actor(async (name: string) => ran(name), { name: 'hello' })
const worker = await app.work()
await hello.with({ delay: 20 }).send('Ada')
const name = await running
await worker.close()
await app.close()

const { capabilities } = toyBroker()
console.log(
  JSON.stringify({ capabilities, rules: brokerRules.length, passed, failed, excluded, timers: clock.pending, ran: name }),
)
