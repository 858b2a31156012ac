import t from 'tap'
import { durationOf } from '../../cli/args.ts'
import type { Found } from '../../cli/apps.ts'
import { queuesText, workerSettings, workOptions } from '../../cli/worker/options.ts'

const found = (...queues: readonly string[]) => ({ queues }) as unknown as Found

t.test('flags become what app.work() takes', async t => {
  const common = { concurrency: undefined, grace: 25_000, maxStuck: 10, until: 'stopped', maxMessages: undefined }
  for (const [values, own, others, options, text] of [
    [{}, ['a', 'b'], [], common, 'a, b (10 at once)'],
    [
      { concurrency: '3', grace: '1s', drain: true },
      ['a'],
      [],
      { ...common, concurrency: 3, grace: 1_000, until: 'idle' },
      'a (3 at once)',
    ],
    [{ 'max-messages': '7' }, ['a'], [], { ...common, maxMessages: 7 }, 'a (10 at once)'],
    [{ grace: '500ms' }, ['a'], [], { ...common, grace: 500 }, 'a (10 at once)'],
    [
      { queues: 'mail, mial' },
      ['mail'],
      [],
      { ...common, queues: ['mail', 'mial'] },
      'mail, mial (no actor here is on it: did you mean mail?) (10 at once)',
    ],
    [{ queues: 'a=2,b=50' }, ['a', 'b'], [], { ...common, queues: { a: 2, b: 50 } }, 'a 2, b 50'],
    [
      { queues: 'a=2,b=50', concurrency: '9' },
      ['a', 'b'],
      [],
      { ...common, concurrency: 9, queues: { a: 2, b: 50 } },
      'a 2, b 50 (9 at once in all)',
    ],
    [{ queues: 'a,b' }, ['a'], ['b'], { ...common, queues: ['a'] }, 'a (10 at once)'],
    [
      { queues: 'elsewhere' },
      ['mail'],
      [],
      { ...common, queues: ['elsewhere'] },
      'elsewhere (no actor here is on it) (10 at once)',
    ],
  ] as const) {
    const made = workOptions(workerSettings(values), found(...own), new Set([...own, ...others]))!
    t.strictSame(made, options, JSON.stringify(values))
    t.equal(queuesText(made, found(...own)), text)
  }
  t.equal(workOptions(workerSettings({ queues: 'b' }), found('a'), new Set(['a', 'b'])), undefined, 'an app that is not meant')
})

t.test('a bare number is no duration: nobody can tell what was meant', async t => {
  for (const [text, ms] of [
    ['0', 0],
    ['0s', 0],
    ['3ms', 3],
    ['1.5m', 90_000],
  ] as const)
    t.equal(durationOf(text, '--grace'), ms, text)
  for (const [text, message] of [
    ['3', '--grace 3 has no unit. Write --grace 3s or --grace 3ms'],
    ['0.5', '--grace 0.5 has no unit. Write --grace 0.5s or --grace 0.5ms'],
    ['3 s', '--grace cannot be "3 s". Write 500ms, 30s, 5m, 2h or 7d; 365d at most'],
    ['366d', '--grace cannot be "366d". Write 500ms, 30s, 5m, 2h or 7d; 365d at most'],
    ['-1s', /cannot be/],
    ['Infinity', /cannot be/],
  ] as const)
    t.throws(() => durationOf(text, '--grace'), { name: 'CliError', exit: 2, message }, text)
})
