/** Now and then a test wants the real thing: the app on a broker of its own, by URL, with a worker. It is closed, so nothing is left. */
const { mkdtempSync, rmSync } = require('node:fs')
const { tmpdir } = require('node:os')
const { join } = require('node:path')
const { greenroom } = require('greenroom')

const folder = mkdtempSync(join(tmpdir(), 'broker-'))
afterAll(() => rmSync(folder, { recursive: true }))

test.each(['memory:', `file:${folder}`])('a worker on %s', async broker => {
  const app = greenroom({ broker })
  const seen = []
  const note = app.actor(async what => void seen.push(what), { name: 'note' })
  await note.send('a call')
  await (
    await app.work({ until: 'idle' })
  ).stopped
  await app.close()
  expect(seen).toEqual(['a call'])
})
