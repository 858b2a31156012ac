/** Which changes `--watch` tells of: real files, on a clock that the test moves. */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { watchSources } from '../../cli/worker/sources.ts'
import { movingClock } from '../../lib/moving-clock.ts'
import { turns } from '../helpers/turns.ts'
import { folderOf } from './folder.ts'

t.test('modules that were loaded, and those beside them; in one go, once it is quiet', async t => {
  const where = folderOf(t, { 'a.mjs': '', 'data.json': '{}', 'other.json': '{}' })
  mkdirSync(join(where, 'lib'))
  writeFileSync(join(where, 'lib/b.ts'), '')
  const clock = movingClock(),
    told: string[] = [],
    blind: string[] = []
  const sources = watchSources({ clock, changed: file => told.push(file), blind: folder => blind.push(folder) })
  t.teardown(() => sources.close())
  sources.add([join(where, 'a.mjs'), join(where, 'data.json'), join(where, 'lib/b.ts'), join(where, 'node_modules/c/index.js')])
  clock.advance(0)
  /** What is told of these changes, one after the other. */
  const after = async (change: () => void, isSeen = true): Promise<string[]> => {
    told.length = 0
    change()
    // What is not to be seen is followed by what is: events of one folder come in order.
    if (!isSeen) writeFileSync(join(where, 'last.js'), 'changed')
    while (clock.pending === 0) await turns(1)
    await turns(50)
    clock.advance(99)
    t.strictSame(told, [], 'not while it may go on')
    clock.advance(1)
    return told.map(file => file.slice(where.length + 1))
  }
  t.strictSame(await after(() => writeFileSync(join(where, 'a.mjs'), 'x')), ['a.mjs'])
  t.strictSame(await after(() => writeFileSync(join(where, 'data.json'), '{"a":1}')), ['data.json'], 'that was loaded')
  t.strictSame(await after(() => writeFileSync(join(where, 'lib/new.mts'), '')), ['lib/new.mts'], 'an import that was missing')
  t.strictSame(
    await after(() => {
      writeFileSync(join(where, '.a.mjs.tmp'), 'y')
      renameSync(join(where, '.a.mjs.tmp'), join(where, 'a.mjs'))
    }),
    ['a.mjs'],
    'as editors save',
  )
  for (const name of ['other.json', 'notes.txt', '.hidden.js', 'a.mjs.bak'])
    t.strictSame(await after(() => writeFileSync(join(where, name), 'z'), false), ['last.js'], name)
  t.strictSame(blind, [])
  sources.add([join(where, 'gone/d.mjs')])
  t.strictSame(blind, [join(where, 'gone')], 'a folder that is not there')
  rmSync(join(where, 'lib'), { recursive: true })
  while (clock.pending === 0) await turns(1)
})
