/** Lines of a log as JSON objects: what is in them, and that nothing that is logged can break one. */
import t from 'tap'
import { isJsonLog, jsonLine } from '../../lib/json-line.ts'
import { bound, consoleLogger } from '../../lib/log.ts'
import { hostileThrows } from '../helpers/hostile.ts'

const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/
const read = (line: string) => JSON.parse(line) as Record<string, unknown>

t.test('a line has its time, level, sentence and process first, then the facts', async t => {
  const line = jsonLine('warn', 'again', { actor: 'mail', ms: 5, none: undefined, big: 5n, level: 'mine', msg: 'mine' }, 7)
  t.match(line, /^\{"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z","level":"warn","msg":"again","pid":7,"actor":"mail","ms":5,/)
  const { time: _, ...rest } = read(line)
  t.strictSame(rest, { level: 'warn', msg: 'again', pid: 7, actor: 'mail', ms: 5, big: '5n' })
  t.equal(read(jsonLine('info', 'here'))['pid'], process.pid)
})

t.test('an error is its class, message, code and stack, and not what its toJSON() would tell', async t => {
  const error = Object.assign(new TypeError('no answer'), { code: 'E_DOWN', toJSON: () => ({ headers: 'authorization: me' }) })
  const line = jsonLine('error', 'failed', { err: error })
  t.match(read(line), { err: { type: 'TypeError', message: 'no answer', code: 'E_DOWN', stack: String } })
  t.notMatch(line, /authorization/)
})

t.test('credentials of URLs are left out wherever they are', async t => {
  const url = 'redis://user:hunter2@host/0',
    line = jsonLine('error', `no ${url}`, { url, deep: [{ url }], err: new Error(url, { cause: new Error(url) }) })
  t.notMatch(line, /hunter2/)
  t.match(read(line), { msg: 'no redis://***@host/0', deep: [{ url: 'redis://***@host/0' }] })
})

t.test('whatever is logged is one printable line that parses, and not too long for a pipe', async t => {
  const circle: Record<string, unknown> = {}
  circle['self'] = circle
  const odd = [
    ['text', 'a\nb\r\u001b[31m\u2028\u202e\u007f\u009b'],
    ['long', 'x'.repeat(1_000_000)],
    ['wide', '\u009b'.repeat(39_000)],
    ['circle', circle],
    [
      'throws',
      {
        toJSON: () => {
          throw new Error('no')
        },
      },
    ],
    ...hostileThrows,
  ] as const
  for (const [what, value] of odd) {
    for (const line of [
      jsonLine('error', 'odd', { value }),
      jsonLine('error', 'odd', { err: new Error('e', { cause: value }) }),
    ]) {
      t.notMatch(line, UNSAFE, what)
      t.ok(line.length < 65_536, what)
      t.match(read(line), { level: 'error', msg: 'odd', pid: process.pid }, what)
    }
  }
  t.match(read(jsonLine('warn', 'cut', { circle })), { cut: true })
  const worst = jsonLine('warn', '\u0001"'.repeat(1_000_000))
  t.ok(worst.length < 65_536)
  t.match(read(worst), { level: 'warn' })
})

t.test('the console logger writes such lines where the environment asks for them', async t => {
  const lines: string[] = []
  for (const level of ['warn', 'error'] as const) t.capture(console, level, (line: string) => void lines.push(line))
  t.equal(isJsonLog({ GREENROOM_LOG: 'json' }), true)
  t.equal(isJsonLog({ GREENROOM_LOG: 'pretty' }), false)
  consoleLogger.warn('as ever')
  process.env['GREENROOM_LOG'] = 'json'
  t.teardown(() => delete process.env['GREENROOM_LOG'])
  bound(consoleLogger, { id: '1' }).warn({ err: new Error('no\nanswer') }, 'tried again')
  consoleLogger.error('alone')
  consoleLogger.info('dropped')
  t.equal(lines.shift(), 'greenroom warning: as ever')
  t.match(lines.map(read), [
    { level: 'warn', msg: 'tried again', id: '1', err: { type: 'Error', message: 'no\nanswer' } },
    { level: 'error', msg: 'alone' },
  ])
  t.equal(lines.length, 2)
})
