/**
 * What the workers run. The picture becomes a file called after the message, so a second run (a worker was killed, a lease
 * lapsed) writes the same bytes to the same place. What is sent back is small: pictures belong into files, not into messages.
 */
import { subscribe } from 'node:diagnostics_channel'
import { rename, writeFile } from 'node:fs/promises'
import { current } from 'greenroom'
import { done, failed, progress, render } from './contract.mjs'
import { fileOf } from './files.mjs'
import { BANDS, paint } from './picture.mjs'

const TROUBLE_AT = BANDS / 2

render.implement(
  async (name, trouble) => {
    const { id, attempt, deliveries, signal } = current()
    const run = attempt + deliveries // deaths of a worker count as well
    const picture = paint(name)
    for (let band = 0; band < BANDS; band++) {
      signal.throwIfAborted()
      await progress.send(id, { state: 'running', step: band, steps: BANDS, run, pid: process.pid })
      if (band === TROUBLE_AT && (trouble === 'always' || (trouble === 'once' && attempt === 0)))
        throw new Error('out of blue paint')
      picture.band(band)
    }
    const bytes = picture.png()
    const part = fileOf(id, `${process.pid}.part`)
    await writeFile(part, bytes)
    await rename(part, fileOf(id, 'png')) // there is never half a picture
    return { bytes: bytes.length }
  },
  { maxRetries: 2, minBackoff: '500ms', maxBackoff: '1s', timeLimit: '1m', onSuccess: done, onFailure: failed },
)

/** Between two tries nothing runs that could tell. The worker knows: it has just put the message back. */
subscribe('greenroom:settled', ({ message, outcome }) => {
  if (message.actor !== 'render' || outcome.kind !== 'retry') return
  progress.send(message.id, { state: 'delayed', why: outcome.error.message }).catch(error => {
    console.error(`the page is not told that a try failed: ${error.message}`) // the next step tells it more
  })
})
