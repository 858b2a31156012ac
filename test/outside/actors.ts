/** An app as an outsider composes it, with actors whose options come from the three middleware beside this file. */
import { type Events, defineMiddleware, greenroom, standard } from 'greenroom'
import { circuitBreaker } from './circuit-breaker.ts'
import { results } from './results.ts'
import { unique } from './unique.ts'

export function make(broker: string, breakFor: '30s' | '300ms' = '30s') {
  const bank = { isUp: false, asked: 0 }
  const watchers = new Set<(event: Events['settled']) => void>()
  const watching = defineMiddleware({
    name: 'watching',
    on: { settled: event => [...watchers].forEach(watch => watch(event)) },
  })
  const app = greenroom({
    broker,
    middleware: [unique(), circuitBreaker(), results('5m'), ...standard({ maxRetries: 0 }), watching],
  })
  const add = app.actor(async (a: number, b: number) => a + b, { name: 'add' })
  const rebuild = app.actor(async (site: string, pages: number) => `${site} ${pages}`, { name: 'rebuild', unique: site => site })
  const pay = app.actor(
    async (cents: number) => {
      bank.asked++
      if (!bank.isUp) throw new Error('the bank is down')
      return { cents }
    },
    { name: 'pay', breakAfter: 2, breakWithin: '1h', breakFor },
  )
  /** When a message was settled so. */
  const settled = (id: string, kind: Events['settled']['outcome']['kind']) =>
    new Promise<void>(resolve => {
      const watch = ({ message, outcome }: Events['settled']) => {
        if (message.id !== id || outcome.kind !== kind) return
        watchers.delete(watch)
        resolve()
      }
      watchers.add(watch)
    })
  return { app, add, rebuild, pay, bank, settled }
}

/** What a promise comes to, to print it. */
export const told = (promise: Promise<unknown>) => promise.catch((error: unknown) => (error as Error).message)
