/** One line an event, of each kind, through any logger; what arguments it shows, and what a logger that fails costs. More: test/lib/events.test.ts. */
import t from 'tap'
import { type AnyMiddleware, logging, standard } from '../../index.ts'
import type { Events } from '../../lib/events.ts'
import { consoleLogger } from '../../lib/log.ts'
import type { Message } from '../../lib/message.ts'
import { down, times } from '../helpers/faulty.ts'
import { open, openFaulty, openMoving } from '../helpers/open.ts'
import { keepLines } from '../helpers/recorder.ts'
import { gate, pass, turns } from '../helpers/turns.ts'

const message: Message = { id: 'x', queue: 'mail', actor: 'send', args: ['hunter2'], options: {}, timestamp: 0 }
const of = { id: 'x', actor: 'send', queue: 'mail' }
const run = { message, attempt: 2, deliveries: 1, ms: 12.6, settled: 'ok' } as const
const ran = { ...of, attempt: 2, ms: 13 }
const error = new TypeError('boom')
const err = { type: 'TypeError', message: 'boom', stack: error.stack! }

const table: readonly { [K in keyof Events]: [K, Events[K], level: string, facts: object, text: string] }[keyof Events][] = [
  ['sent', { message, stored: true }, 'debug', { ...of, stored: true }, 'sent'],
  ['sent', { message, stored: false, by: 'dedupe' }, 'debug', { ...of, stored: false, by: 'dedupe' }, 'sent'],
  ['started', { message, attempt: 2, deliveries: 3 }, 'debug', { ...of, attempt: 2, deliveries: 3 }, 'started'],
  ['settled', { ...run, outcome: { kind: 'done', result: 'hunter2' } }, 'info', ran, 'done'],
  ['settled', { ...run, settled: 'lost', outcome: { kind: 'done' } }, 'info', { ...ran, settled: 'lost' }, 'done'],
  [
    'settled',
    { ...run, outcome: { kind: 'release', afterMs: 5, reason: 'shutdown' } },
    'info',
    { ...ran, afterMs: 5, reason: 'shutdown' },
    'released',
  ],
  [
    'settled',
    { ...run, outcome: { kind: 'retry', afterMs: 5, error } },
    'warn',
    { ...ran, afterMs: 5, err },
    'failed, will be tried again',
  ],
  ['settled', { ...run, outcome: { kind: 'dead', reason: 'expired' } }, 'error', { ...ran, reason: 'expired' }, 'dead'],
  [
    'settled',
    { ...run, outcome: { kind: 'dead', reason: 'gave up', error } },
    'error',
    { ...ran, reason: 'gave up', err },
    'dead',
  ],
  [
    'settled',
    { ...run, outcome: { kind: 'failed', error } },
    'error',
    { ...ran, err },
    'dead: failed, and no middleware retries it',
  ],
  [
    'rejected',
    { id: 'x', queue: 'mail', reason: 'not JSON' },
    'error',
    { id: 'x', queue: 'mail', reason: 'not JSON' },
    'dead: not a message',
  ],
  [
    'stuck',
    { message, reason: 'time limit', stuck: 1 },
    'warn',
    { ...of, reason: 'time limit', stuck: 1 },
    'a handler goes on after its signal was aborted',
  ],
  ['stopping', { running: 1, graceMs: 25_000, messages: [message] }, 'info', { running: 1, graceMs: 25_000 }, 'stopping'],
  ['trouble', { what: 'the broker does not answer', error }, 'error', { err }, 'the broker does not answer'],
]

t.test('the line of each event', async t => {
  for (const [kind, event, level, facts, text] of table) {
    const { log, lines } = keepLines()
    const tell = logging({ log }).on![kind] as (event: unknown) => void
    tell(event)
    t.strictSame(lines, [{ level, facts, text }], `${kind} ${text}`)
    t.notMatch(JSON.stringify(lines), 'hunter2', 'no argument, no result')
  }
  t.strictSame(
    Object.keys(logging({ log: keepLines().log }).on!).sort(),
    [...new Set(table.map(([kind]) => kind))].sort(),
    'there is a row for each',
  )
})

t.test('args chooses what is shown of the arguments, in the lines about a message', async t => {
  for (const [kind, event] of table) {
    const { log, lines } = keepLines()
    const tell = logging({ log, args: ({ args, actor }) => [actor, String(args[0]).length] }).on![kind] as (
      event: unknown,
    ) => void
    tell(event)
    const wanted = 'message' in event ? ['send', 7] : undefined
    t.strictSame(lines[0]!.facts['args'], wanted, kind)
  }
})

t.test('it sees what happens to the broker, to a handler that goes on and to a worker that stops', async t => {
  const { log, lines } = keepLines()
  const { app, clock, faults } = await openFaulty(t, { middleware: [...standard(), logging({ log })] })
  const end = gate()
  await app
    .actor(() => end.opened, { name: 'deaf', timeLimit: '1s', maxRetries: 0 })
    .with({ id: 'x' })
    .send()
  faults.before.take = times(1, down)
  const worker = await app.work()
  await pass(clock, 10_000)
  await worker.close()
  t.strictSame(
    lines.map(({ level, text }) => `${level} ${text}`),
    [
      'debug sent',
      'error the broker does not answer',
      'debug started',
      'warn a handler goes on after its signal was aborted',
      'error dead',
      'info stopping',
    ],
  )
  t.match(lines[1]!.facts, { err: { code: 'BROKER_DOWN' } })
  end.open()
})

t.test('a logger or an args that throws costs its line, and no message', async t => {
  const boom = () => {
    throw new Error('no logs today')
  }
  const { log: quiet } = keepLines()
  for (const [what, chosen] of [
    ['the logger', logging({ log: { debug: boom, info: boom, warn: boom, error: boom } })],
    ['args', logging({ log: quiet, args: boom })],
  ] as readonly [string, AnyMiddleware][]) {
    const { app, all, lines, clock } = await openMoving(t, { middleware: [...standard(), chosen] })
    let runs = 0
    await app
      .actor(
        () => {
          if (runs++ === 0) throw new Error('x')
        },
        { name: 'a1b', minBackoff: 0 },
      )
      .send()
    const worker = await app.work()
    await pass(clock, 1_000)
    await worker.close()
    t.match(all('settled'), [{ outcome: { kind: 'retry' } }, { outcome: { kind: 'done' } }], what)
    t.ok(lines.length > 0)
    for (const line of lines)
      t.match(line, { level: 'error', facts: { middleware: 'logging', err: Error }, text: 'an observer threw' }, what)
  }
})

t.test('names and messages of others cannot forge a second line on the console', async t => {
  const written: string[] = []
  for (const level of ['warn', 'error'] as const) t.capture(console, level, (line: string) => void written.push(line))
  const forged = 'x\r\ngreenroom error: all is lost\u2028\u001b[2J'
  const { log } = keepLines()
  const { app, until } = open(t, { log, middleware: [...standard(), logging({ log: consoleLogger, args: ({ args }) => args })] })
  await app
    .actor(
      (_text: string) => {
        throw Object.assign(new Error(forged), { name: forged, code: forged })
      },
      { name: 'fails', maxRetries: 0 },
    )
    .send(forged)
  await app.work()
  await until('settled')
  await turns(1)
  t.equal(written.length, 1)
  t.match(written[0], /^greenroom error: dead /)
  t.notMatch(written[0], /[\u0000-\u001f\u2028\u2029]/)
})
