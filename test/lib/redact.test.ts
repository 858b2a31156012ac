import * as fc from 'fast-check'
import t from 'tap'
import { shown } from '../../lib/duration.ts'
import { unknownBroker } from '../../lib/locate.ts'
import { redactUrl } from '../../lib/redact.ts'

t.test('credentials do not show, the rest does', async t => {
  for (const [url, redacted] of [
    ['redis://h:6379/0', 'redis://h:6379/0'],
    ['redis://user:pass@h:6379/0', 'redis://***@h:6379/0'],
    ['redis://:p@ss@h', 'redis://***@h'],
    ['redis://:p/a@ss@h/1', 'redis://***@h/1'],
    ['amqps://u:p@h/vhost?heartbeat=5', 'amqps://***@h/vhost?heartbeat=5'],
    ['redis://h?password=secret&db=1', 'redis://h?password=***&db=1'],
    ['redis://h?db=1&auth_token=secret#x', 'redis://h?db=1&auth_token=***#x'],
    ['file:/var/lib/a@b', 'file:/var/lib/a@b'],
    ['file:///var/lib/a@b', 'file:///var/lib/a@b'],
    ['memory:', 'memory:'],
  ] as const)
    t.equal(redactUrl(url), redacted)
})

t.test('odd URLs hide their credentials too', async t => {
  for (const url of [
    'redis:/u:hunter2@h',
    'redis:u:hunter2@h',
    ' redis://u:hunter2@h',
    'REDIS://u:hunter2@h',
    'redis://u:hunter2\n@h',
    'u:hunter2@h',
    'redis+tls://u:hunter2@h',
    '://u:hunter2@h',
    'redis://u:hunter2@h1,u:hunter2@h2',
    'redis://u:hun@ter2@h',
    '"redis://u:hunter2@h"',
  ]) {
    t.notMatch(redactUrl(url), 'hunter2', url)
    t.notMatch(unknownBroker(url, ['file:']).message, 'hunter2', url)
  }
})

t.test('no password of any shape shows', async () => {
  const scheme = fc.constantFrom('redis://', 'rediss://', 'amqp://', 'x:', 'x:/', '')
  const password = fc.string({ unit: 'binary', minLength: 8, maxLength: 30 }).filter(text => !/^[\s*@h]*$/.test(text))
  fc.assert(
    fc.property(scheme, fc.string({ maxLength: 8 }), password, (scheme, user, password) => {
      for (const url of [`${scheme}${user}:${password}@host/1`, `${scheme}${user}:${encodeURIComponent(password)}@host/1`]) {
        const secret = url.includes(password) ? password : encodeURIComponent(password)
        for (const text of [redactUrl(url), unknownBroker(url, ['file:']).message])
          if (text.includes(secret) || text.includes(shown(secret).slice(1, -1))) return false
      }
      return true
    }),
    { numRuns: 2_000 },
  )
})
