import t from 'tap'
import { nearest } from '../../lib/did-you-mean.ts'

const known = ['maxRetries', 'minBackoff', 'maxBackoff', 'timeLimit', 'queue', 'at']

t.test('the nearest known word', async t => {
  for (const [word, near] of [
    ['maxRetry', 'maxRetries'],
    ['maxretries', 'maxRetries'],
    ['retries', 'maxRetries'],
    ['timelimit', 'timeLimit'],
    ['minBackof', 'minBackoff'],
    ['ueue', 'queue'],
    ['qeue', 'queue'],
    ['completelyElse', undefined],
    ['', undefined],
    ['xy', undefined], // as far from `at` as it is long
  ] as const)
    t.equal(nearest(word, known), near, word)
})

t.test('a very long word takes no time', async t => {
  t.equal(nearest('x'.repeat(1_000_000), known), undefined)
})
