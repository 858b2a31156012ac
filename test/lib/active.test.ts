import t from 'tap'
import { activeRuns } from '../../lib/active.ts'
import type { Delivery } from '../../lib/broker.ts'
import { Run } from '../../lib/run.ts'

const run = (id: string) => new Run({ id, queue: 'q', actor: 'a', args: [], options: {}, timestamp: 0 }, 0, 1, {}, {} as never)
const delivery = (token: string) => ({ token }) as Delivery

t.test('whatever comes and goes in whatever order, each run has its own delivery, once', async t => {
  const active = activeRuns(),
    here = new Map<Run, string>()
  for (let i = 0; i < 200; i++) {
    const added = run(`${i}`)
    active.add(added, delivery(`t${i}`))
    here.set(added, `t${i}`)
    if (i % 3 === 0) continue
    const gone = [...here.keys()][(i * 7) % here.size]!
    t.equal(active.remove(gone)?.token, here.get(gone))
    t.equal(active.remove(gone), undefined, 'only once')
    here.delete(gone)
  }
  t.strictSame(new Set(active.all()), new Set(here.keys()))
  for (const [run, token] of here) t.equal(active.find(token), run)
  t.equal(active.find('t1'), undefined)
  t.equal(active.remove(run('never here')), undefined)
})
