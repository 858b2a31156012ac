/** A misspelt option is told by every function that takes options, with the word that was meant: JavaScript has no compiler to do it. */
import { join } from 'node:path'
import t from 'tap'
import { embeddedBroker } from '../brokers/embedded/index.ts'
import { memoryBroker } from '../brokers/memory/index.ts'
import {
  ageLimit,
  defineMiddleware,
  greenroom,
  knownOptions,
  logging,
  perMessage,
  count,
  retries,
  shutdown,
  standard,
  timeLimit,
} from '../index.ts'
import { testing } from '../testing.ts'
import { open } from './helpers/open.ts'
import { root } from './root.ts'

type Case = readonly [call: (options: never) => unknown, options: object, of: string, help: string]

const factories: readonly Case[] = [
  [standard, { maxRetry: 3 }, 'standard()', 'Did you mean maxRetries?'],
  [standard, { throws: [] }, 'standard()', 'Known are maxRetries, minBackoff, maxBackoff, maxAge, timeLimit, notifyShutdown'],
  [retries, { minBackof: '1s' }, 'retries()', 'Did you mean minBackoff?'],
  [retries, { timeLimit: '1s' }, 'retries()', 'Known are maxRetries, minBackoff, maxBackoff'],
  [timeLimit, { timelimit: '1s' }, 'timeLimit()', 'Did you mean timeLimit?'],
  [ageLimit, { maxage: '1s' }, 'ageLimit()', 'Did you mean maxAge?'],
  [shutdown, { notify: true }, 'shutdown()', 'Known are notifyShutdown'],
  [logging, { log: console, arg: () => 1 }, 'logging()', 'Did you mean args?'],
  [greenroom, { brokr: 'memory:' }, 'greenroom()', 'Did you mean broker?'],
  [memoryBroker, { maxdead: 5 }, 'memoryBroker()', 'Did you mean maxDead?'],
  [embeddedBroker, { path: join(root, 'x'), maxByte: 5 }, 'embeddedBroker()', 'Did you mean maxBytes?'],
]

t.test('factories throw', async t => {
  for (const [call, options, of, help] of factories) {
    const name = Object.keys(options).at(-1)!
    t.throws(() => call(options as never), {
      code: 'OPTION_UNKNOWN',
      message: `Unknown option "${name}" of ${of}. ${help} [OPTION_UNKNOWN]`,
    })
    t.throws(() => call(5 as never), { code: 'OPTION_INVALID', message: `The options of ${of} are 5 and not an object` }, of)
  }
})

t.test('what is asynchronous rejects', async t => {
  const { app } = open(t)
  const hello = app.actor(() => {}, { name: 'hello' })
  const wrong = (of: string, meant: string) => ({
    code: 'OPTION_UNKNOWN',
    message: new RegExp(`of ${of}\\(\\)\\. Did you mean ${meant}\\?`),
  })
  await t.rejects(app.work({ concurency: 3 } as never), wrong('work', 'concurrency'))
  const worker = await app.work()
  await t.rejects(worker.close({ graec: '1s' } as never), wrong('worker\\.close', 'grace'))
  await worker.close()
  await t.rejects(testing(app, { runs: 'inline' } as never), wrong('testing', 'run'))
  await using test = await testing(app)
  await t.rejects(test.join({ queue: ['a'] } as never), wrong('join', 'queues'))
  await t.rejects(test.run(hello, [], { atempt: 1 } as never), wrong('run', 'attempt'))
})

t.test('values are checked where they are given', async t => {
  const { app } = open(t)
  for (const [what, call, code] of [
    ['a text for a count', () => standard({ maxRetries: '3' as never }), 'OPTION_INVALID'],
    ['a text that is no duration', () => standard({ timeLimit: 'soon' as never }), 'DURATION_INVALID'],
    ['a word for a flag', () => standard({ notifyShutdown: 'yes' as never }), 'OPTION_INVALID'],
    ['null', () => retries({ maxRetries: null as never }), 'OPTION_INVALID'],
    ['no logger', () => logging({} as never), 'OPTION_INVALID'],
    ['a logger with a method too few', () => logging({ log: { info() {}, warn() {}, error() {} } as never }), 'OPTION_INVALID'],
    ['args that are no function', () => logging({ log: console, args: true as never }), 'OPTION_INVALID'],
    ['no folder', () => embeddedBroker({} as never), 'BROKER_INVALID'],
    ['a word for sync', () => embeddedBroker({ path: root, sync: 'no' as never }), 'OPTION_INVALID'],
    ['a text for a number', () => embeddedBroker({ path: root, maxDead: '5' as never }), 'OPTION_INVALID'],
    ['no room at all', () => embeddedBroker({ path: root, maxBytes: 0 }), 'OPTION_INVALID'],
    ['random that is a number', () => testing(app, { random: 0 as never }), 'OPTION_INVALID'],
    ['decorate that is an object', () => testing(app, { decorate: {} as never }), 'OPTION_INVALID'],
  ] as const)
    await t.rejects(async () => call(), { code }, what)
  t.doesNotThrow(() => standard({ maxRetries: undefined, timeLimit: undefined }), 'undefined is what is left out')
})

t.test('factories of others can do the same', async t => {
  const runLimit = (given: { readonly most?: number } = {}) => {
    const { most = 3 } = knownOptions(given, ['most'], 'runLimit()')
    return defineMiddleware({ name: 'runLimit', options: { maxRuns: perMessage(count(most)) } })
  }
  t.equal(runLimit({ most: 5 }).options!.maxRuns.default, 5)
  t.throws(() => runLimit({ mots: 5 } as never), {
    message: 'Unknown option "mots" of runLimit(). Did you mean most? [OPTION_UNKNOWN]',
  })
})
