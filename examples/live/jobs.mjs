/**
 * What the server knows of each job: a file of JSON, so that a restart forgets nothing. With you it is a table of your database.
 * Whoever watches a job is woken by a bell, and reads what is true then: nobody polls, and nobody sees an older state later.
 */
import { EventEmitter, on } from 'node:events'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { fileOf, isId } from './files.mjs'

export const hasEnded = ({ state }) => state === 'done' || state === 'dead'

export function jobs(bell = new EventEmitter()) {
  bell.setMaxListeners(0) // as many as there are open pages
  const pathOf = id => fileOf(id, 'json')

  /** Undefined for what is unknown. */
  async function get(id) {
    if (!isId(id)) return undefined
    try {
      return JSON.parse(await readFile(pathOf(id), 'utf8'))
    } catch (error) {
      if (error.code === 'ENOENT') return undefined
      throw error
    }
  }

  return {
    get,

    /** A new job. Its first news may have been quicker: then they stay. */
    async open(id) {
      await writeFile(pathOf(id), JSON.stringify({ id, state: 'waiting' }), { flag: 'wx' }).catch(error => {
        if (error.code !== 'EEXIST') throw error
      })
    },

    /** One at a time: the queue `web` sees to it. The end is the end, whatever comes late or twice. */
    async tell(id, news) {
      const before = await get(id)
      if (before && hasEnded(before)) return
      await writeFile(fileOf(id, 'json.part'), JSON.stringify({ id, ...news }))
      await rename(fileOf(id, 'json.part'), pathOf(id))
      bell.emit(id)
    },

    /** The state now, then each new one, until the job has ended or the signal is aborted. */
    async *watch(id, signal) {
      const rings = on(bell, id, { signal }) // listens from here on, so that nothing falls between
      try {
        do {
          const job = await get(id)
          yield job
          if (hasEnded(job)) return
        } while (!(await rings.next()).done)
      } catch (error) {
        if (!signal.aborted) throw error
      } finally {
        await rings.return()
      }
    },
  }
}
