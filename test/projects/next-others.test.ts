/** The packed package in Next.js as fewer use it: the other bundler, and the standalone output, configured as the guide says. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { blocksOf } from '../docs-pages.ts'
import { build, fresh, installNext, resize, serve, takeAway, TEST_MS, work } from '../helpers/next.ts'
import { threeEdits } from '../helpers/next-edits.ts'

installNext()

t.test('a standalone output sends where nothing else is installed, and says what is missing', { timeout: TEST_MS }, async t => {
  const { text } = blocksOf('docs/guide.md').find(({ file }) => file === 'next.config.mjs')!
  fresh({ 'next.config.mjs': text })
  await build()
  const away = takeAway()
  fresh()
  const [server, worker] = await Promise.all([serve(['server.js'], away), work(away)])
  t.equal((await resize(server, worker)).ran, 'resize a.png 300')
  await server.stop()
  t.equal(await worker.stop(), 0)

  for (const [part, what] of [
    ['@lmdb', /: lmdb, the driver of `file:`, cannot be loaded \(No native build .*\)\. .*\[ENGINE_MISSING\]/],
    ['greenroom/dist/esm/brokers', /: This is a bundle, .* \(Next\.js: outputFileTracingIncludes\) \[ENGINE_MISSING\]/],
  ] as const) {
    rmSync(join(away, 'node_modules', part), { recursive: true })
    const partial = await serve(['server.js'], away)
    t.equal((await partial.post('/api/resize', { url: 'a.png' })).status, 500, part)
    t.ok(await partial.printed(what))
    await partial.stop()
  }
})

threeEdits('--webpack')
