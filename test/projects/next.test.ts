/** The packed package in a Next.js app that has no configuration for it: built and started, and in development while its files are edited. */
import t from 'tap'
import { build, fresh, installNext, resize, serve, TEST_MS, work } from '../helpers/next.ts'
import { threeEdits } from '../helpers/next-edits.ts'

installNext()

t.test('next build, next start: a route sends, and a worker of another process runs it', { timeout: TEST_MS }, async t => {
  fresh()
  await build()
  const [server, worker] = await Promise.all([serve(['start']), work()])
  t.equal((await resize(server, worker)).ran, 'resize a.png 300')
  t.equal((await server.post('/api/mail', {})).text, '{"state":"unknown"}', 'a worker in the server ran it')
  await server.stop()
  t.equal(await worker.stop(), 0)
})

threeEdits('--turbopack')
