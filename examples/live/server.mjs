/**
 * The web server. It is a worker as well, of the queue `web`: that is how it hears what became of the jobs. News that come while
 * it is down wait there. Several servers would share what they hear: a table, and a bell that rings in all of them.
 */
import { mkdirSync } from 'node:fs'
import { createServer } from 'node:http'
import { app, done, failed, progress, render } from './contract.mjs'
import { jobs } from './jobs.mjs'
import { routes } from './routes.mjs'

const GRACE_MS = 1_000 // for requests that are under way when it stops
const { PORT = '3000', LIVE_FOLDER: folder = '.' } = process.env
mkdirSync(folder, { recursive: true })

const table = jobs()
progress.implement((id, news) => table.tell(id, news))
done.implement(({ bytes }, { id }) => table.tell(id, { state: 'done', bytes }))
failed.implement(({ message }, { id }) => table.tell(id, { state: 'dead', why: message }))

const worker = await app.work({ queues: { web: 1 } }) // one at a time, so that news are told in their order
const { answer, leave } = routes({ render, jobs: table })
const server = createServer(answer)
server.on('error', error => stop(`${error.message}. Another port: --port of start.mjs, or PORT`))
server.listen(Number(PORT), '127.0.0.1', () => console.log(`open http://localhost:${server.address().port}`))

let isStopping = false
async function stop(trouble) {
  if (isStopping) return
  isStopping = true
  if (trouble) {
    console.error(trouble)
    process.exitCode = 1
  }
  const closed = new Promise(resolve => server.close(resolve)) // takes nothing new, and lets requests finish
  leave()
  setTimeout(() => server.closeAllConnections(), GRACE_MS).unref() // browsers also open some that they do not use
  await closed
  await worker.close()
  await app.close()
  if (process.connected) process.disconnect()
}
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => stop())
process.once('disconnect', () => stop()) // whoever started it is gone
