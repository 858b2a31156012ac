/** What a parent makes of the end of a child: one table. */
import t from 'tap'
import { afterEnd, type Deaths, type Next, NO_DEATHS, type World } from '../../cli/worker/policy.ts'

const WORLD: World = { stopping: false, drain: false, watch: false, everReady: true }
const deaths = (failedStarts: number, crashes: number): Deaths => ({ failedStarts, crashes })
const again = (waitMs: number): Next => ({ kind: 'again', waitMs })
const over: Next = { kind: 'over' },
  change: Next = { kind: 'change' }

t.test('what to do after each kind of end', async t => {
  for (const [what, end, wasReady, livedMs, before, world, next, then] of [
    ['told to stop', 0, true, 5, deaths(0, 3), { stopping: true }, over, deaths(0, 3)],
    ['killed while all stop', 'SIGKILL', true, 5, NO_DEATHS, { stopping: true }, over, NO_DEATHS],
    ['drained', 0, true, 5, NO_DEATHS, { drain: true }, over, NO_DEATHS],
    ['died while it drained', 'SIGKILL', true, 5, NO_DEATHS, { drain: true }, again(200), deaths(0, 1)],
    ['ended by itself', 0, true, 5, NO_DEATHS, {}, again(200), deaths(0, 1)],
    ['crashed again', 1, true, 5, deaths(0, 3), {}, again(1_600), deaths(0, 4)],
    ['crashed often', 1, true, 5, deaths(0, 9), {}, again(5_000), deaths(0, 10)],
    ['crashed after a long life', 1, true, 10_000, deaths(0, 9), {}, again(100), NO_DEATHS],
    ['did not start', 3, false, 5, deaths(0, 1), {}, again(400), deaths(1, 2)],
    ['a wrong module at the first start', 4, false, 5, NO_DEATHS, { everReady: false }, { kind: 'fail', code: 4 }, deaths(1, 1)],
    ['a wrong flag at the first start', 2, false, 5, NO_DEATHS, { everReady: false }, { kind: 'fail', code: 2 }, deaths(1, 1)],
    ['a wrong module later', 4, false, 5, NO_DEATHS, {}, again(200), deaths(1, 1)],
    ['the fifth that did not start', 3, false, 5, deaths(4, 4), {}, { kind: 'fail', code: 5 }, deaths(5, 5)],
    ['the twentieth crash', 'SIGSEGV', true, 5, deaths(0, 19), {}, { kind: 'fail', code: 5 }, deaths(0, 20)],
    ['did not start, with --watch', 4, false, 5, NO_DEATHS, { watch: true, everReady: false }, change, NO_DEATHS],
    ['crashed, with --watch', 1, true, 5, NO_DEATHS, { watch: true }, again(200), deaths(0, 1)],
    ['the twentieth crash, with --watch', 1, true, 5, deaths(0, 19), { watch: true }, change, NO_DEATHS],
  ] as const) {
    const step = afterEnd({ end, wasReady, livedMs }, before, { ...WORLD, ...world })
    t.match(step.next, next, what)
    t.strictSame(step.deaths, then, what)
  }
})
