/** What development with Next.js must bear: files are edited while it runs, it evaluates them again, and everything else stays as it was. */
import t from 'tap'
import { edit, enginesOf, fresh, openFilesOf, resize, serve, TEST_MS, work } from './next.ts'

/** File, what is there, what comes instead, and what the worker is then given. */
const EDITS = [
  ['lib/jobs.js', 'export const width = 300', '// lines\n// that shift\nexport const width = 600', 'resize a.png 600'],
  ['app/api/resize/route.js', '.send(url, width)', ".send(url, width, 'webp')", 'resize a.png 600 webp'],
  ['lib/jobs.js', "declare('resize'", "declare('thumb'", 'thumb a.png 600 webp'],
] as const

export const threeEdits = (bundler: '--turbopack' | '--webpack') =>
  t.test(`next dev ${bundler}: three edits, one engine, no duplicate`, { timeout: TEST_MS }, async t => {
    fresh()
    const [server, worker] = await Promise.all([serve(['dev', bundler]), work()])
    const { ran, pid } = await resize(server, worker)
    t.equal(ran, 'resize a.png 300')
    t.equal((await server.post('/api/mail', {})).text, '{"state":"unknown"}', 'a worker in the server ran it')
    const files = openFilesOf(pid)
    t.not(files, 0)
    for (const [file, before, after, wanted] of EDITS) {
      edit(file, before, after)
      // Next.js serves the old code until it has noticed. The worker runs what either sends.
      let now = await resize(server, worker)
      while (now.ran !== wanted) now = await resize(server, worker)
      t.equal(now.pid, pid, 'the same process')
      t.equal((await server.post('/api/mail', {})).text, '{"state":"unknown"}', 'a worker starts again: no duplicate')
    }
    t.equal(enginesOf(pid), 1, 'one engine thread was started')
    t.equal(openFilesOf(pid), files, 'the database is open as often as before')
    await server.stop()
    t.equal(await worker.stop(), 0)
  })
