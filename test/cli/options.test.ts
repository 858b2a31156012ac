import t from 'tap'
import { durationOf } from '../../cli/args.ts'
import type { Found } from '../../cli/apps.ts'
import { optionOf, settle, valuesOf } from '../../cli/settings.ts'
import { queuesText, WORKER_FLAGS, workerSettings, workOptions } from '../../cli/worker/options.ts'
import type { WorkerConfig } from '../../lib/cli-config.ts'

const found = (...queues: readonly string[]) => ({ queues }) as unknown as Found

t.test('flags become what app.work() takes', async t => {
  const common = {
    concurrency: undefined,
    grace: 25_000,
    abortGrace: 5_000,
    lease: 30_000,
    maxStuck: 10,
    maxDeliveries: 5,
    maxBlock: undefined,
    threads: undefined,
    threadMemory: undefined,
    until: 'stopped',
    maxMessages: undefined,
  }
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
    [
      { lease: '1m', 'abort-grace': '0', 'max-deliveries': '2', 'max-block': '1h', threads: '2', 'thread-memory': '0.5gb' },
      ['a'],
      [],
      { ...common, lease: 60_000, abortGrace: 0, maxDeliveries: 2, maxBlock: 3_600_000, threads: 2, threadMemory: 512 },
      'a (10 at once)',
    ],
    [{ 'max-block': 'Infinity' }, ['a'], [], { ...common, maxBlock: Infinity }, 'a (10 at once)'],
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

t.test('flags that no worker could follow are refused by their names', async t => {
  for (const [values, message] of [
    [{ lease: '30' }, '--lease 30 has no unit. Write --lease 30s or --lease 30ms'],
    [{ 'abort-grace': 'soon' }, /^--abort-grace cannot be "soon"/],
    [{ 'max-block': 'never' }, /^--max-block cannot be "never"/],
    [{ 'max-deliveries': '0' }, /^--max-deliveries cannot be "0"/],
    [{ threads: '1.5' }, /^--threads cannot be "1.5"/],
    [{ 'thread-memory': '64' }, '--thread-memory 64 has no unit. Write --thread-memory 64mb or --thread-memory 64gb'],
    [{ log: 'xml' }, '--log cannot be "xml". It is json or pretty'],
  ] as const)
    t.throws(() => workerSettings(values), { name: 'CliError', exit: 2, message }, JSON.stringify(values))
})

type Camel<S extends string> = S extends `${infer A}-${infer B}` ? `${A}${Capitalize<Camel<B>>}` : S
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false

t.test('greenroom.config.* has exactly the flags of a worker, as types and at run time', async t => {
  const same: Same<keyof WorkerConfig, Camel<keyof typeof WORKER_FLAGS>> = true
  t.ok(same)
  const config: { [K in keyof WorkerConfig]-?: NonNullable<WorkerConfig[K]> } = {
    concurrency: 9,
    queues: { a: 2, b: 50 },
    processes: 4,
    grace: '1m',
    abortGrace: 500,
    lease: '1m',
    maxDeliveries: 2,
    maxBlock: Infinity,
    threads: 2,
    threadMemory: '256mb',
    maxMemory: '1.5gb',
    maxStuck: 3,
    pidFile: 'worker.pid',
    watch: false,
    drain: true,
    maxTime: '1h',
    maxMessages: 7,
    healthPort: 0,
    healthHost: '::',
    log: 'json',
  }
  t.strictSame(Object.keys(config).sort(), Object.keys(WORKER_FLAGS).map(optionOf).sort())
  const values = valuesOf(settle(WORKER_FLAGS, {}, {}, { name: 'greenroom.config.ts', options: config }))
  t.strictSame(workerSettings(values), {
    concurrency: 9,
    queues: new Map([
      ['a', 2],
      ['b', 50],
    ]),
    processes: 4,
    graceMs: 60_000,
    abortGraceMs: 500,
    leaseMs: 60_000,
    maxDeliveries: 2,
    maxBlockMs: Infinity,
    threads: 2,
    threadMemory: 256 * 1024 ** 2,
    maxMemory: 1.5 * 1024 ** 3,
    maxStuck: 3,
    pidFile: 'worker.pid',
    watch: false,
    drain: true,
    maxTimeMs: 3_600_000,
    maxMessages: 7,
    health: { port: 0, host: '::' },
    log: 'json',
  })
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
