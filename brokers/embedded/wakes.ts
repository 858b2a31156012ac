/**
 * Waking idle engines of other processes: each has a file of its own in `wake/`, which it watches; whoever makes a queue takeable
 * writes one byte to the files of those that have a row for it. It does so before its commit: who is woken asks for the lock at once, gets
 * it when the commit is done, and has come awake while the disk was flushed. Watching the data file would wake everybody.
 */
import { closeSync, openSync, readdirSync, statSync, unlinkSync, watch, writeSync } from 'node:fs'
import type { FSWatcher } from 'node:fs'
import { join } from 'node:path'

export interface Wakes extends Disposable {
  /** Makes this engine's file and watches it; `false` where watching does not work: poll. */
  listen(engine: number, woken: () => void): boolean
  wake(engine: number): void
  /** Deletes the file of an engine that is gone. */
  forget(engine: number): void
  engines(): number[]
  /** When one last came or went, epoch ms. */
  changedAt(): number
}

const BYTE = Buffer.of(1)

export function wakes(folder: string): Wakes {
  const handles = new Map<number, number>()
  let watcher: FSWatcher | undefined, own: number | undefined
  const file = (engine: number) => join(folder, `${engine}`)
  function release(engine: number): void {
    const handle = handles.get(engine)
    if (handle !== undefined) closeSync(handle)
    handles.delete(engine)
  }
  function unlink(engine: number): void {
    try {
      unlinkSync(file(engine))
    } catch {
      /* gone already: another process tidies up too */
    }
  }
  return {
    listen(engine, woken) {
      own = engine
      try {
        closeSync(openSync(file(engine), 'w', 0o600))
        watcher = watch(file(engine), woken)
        watcher.on('error', () => {
          watcher?.close()
        })
        return true
      } catch {
        return false
      }
    },
    wake(engine) {
      try {
        let handle = handles.get(engine)
        if (handle === undefined) handles.set(engine, (handle = openSync(file(engine), 'r+')))
        writeSync(handle, BYTE, 0, 1, 0)
      } catch {
        // It has left, or cannot be told: it polls.
        release(engine)
      }
    },
    forget(engine) {
      release(engine)
      unlink(engine)
    },
    changedAt() {
      try {
        return statSync(folder).mtimeMs
      } catch {
        return Infinity // the folder is gone: whoever looks closer says so
      }
    },
    engines: () => readdirSync(folder).map(Number).filter(Number.isInteger),
    [Symbol.dispose]() {
      watcher?.close()
      for (const handle of handles.values()) closeSync(handle)
      handles.clear()
      if (own !== undefined) unlink(own)
    },
  }
}
