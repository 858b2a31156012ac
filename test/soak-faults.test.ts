/** The short forms of the long runs with faults, and that each long run has a short form here or beside. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { root } from './root.ts'
import { scenarios } from './soak/all.ts'
import { shortForms } from './soak/short-forms.ts'

shortForms(['kills', 'rolling', 'poison', 'recovery'])

t.test('every long run has its short form in npm test', async t => {
  const lists = ['soak', 'soak-faults'].map(name => readFileSync(join(root, `test/${name}.test.ts`), 'utf8'))
  const named = lists.flatMap(text =>
    [...text.matchAll(/shortForms\(\[([^\]]+)\]\)/g)].flatMap(([, names]) => names!.match(/\w+/g)!),
  )
  t.strictSame(named.sort(), scenarios.map(({ name }) => name).sort())
})
