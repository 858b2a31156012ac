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
    ['queen', 'queue'],
    ['quick', undefined], // three of its five letters
    ['id', undefined],
  ] as const)
    t.equal(nearest(word, known), near, word)
})

t.test('a short word is like another when half of it is the same', async t => {
  for (const [word, other, near] of [
    ['decl', 'rest', undefined],
    ['all', 'help', undefined],
    ['img', 'image', 'image'],
    ['othr', 'other', 'other'],
    ['res', 'rest', 'rest'],
  ] as const)
    t.equal(nearest(word, [other]), near, word)
})

t.test('a very long word takes no time', async t => {
  t.equal(nearest('x'.repeat(1_000_000), known), undefined)
})
