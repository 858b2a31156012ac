/**
 * `--watch`: the folders of all modules that were loaded, outside of node_modules. A change of one of these files, or of any other
 * module beside them (an import may have missed it), is told once it has been quiet for a moment: an editor writes in several steps.
 */
import { existsSync, type FSWatcher, watch } from 'node:fs'
import { basename, dirname, join, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Clock } from '../../lib/clock.ts'

const QUIET_MS = 100
const MODULE = /^[^.].*\.[cm]?[jt]sx?$/
/** This package, built: nobody edits it. */
const OWN = fileURLToPath(new URL('../..', import.meta.url))

export interface Sources {
  /** Files that were loaded. */
  add(files: readonly string[]): void
  close(): void
}

export interface SourcesParts {
  readonly clock: Clock
  changed(file: string): void
  /** A folder that cannot be watched, told once. */
  blind(folder: string, error: Error): void
}

export function watchSources({ clock, changed, blind }: SourcesParts): Sources {
  const files = new Set<string>(),
    folders = new Map<string, FSWatcher | undefined>()
  let timer = clock.after(0, () => {})

  function look(folder: string): void {
    if (folders.has(folder)) return
    folders.set(folder, undefined)
    try {
      const watcher = watch(folder, (_, name) => seen(folder, name))
      watcher.on('error', error => lose(folder, error))
      folders.set(folder, watcher)
    } catch (error) {
      blind(folder, error as Error)
    }
  }
  function seen(folder: string, name: string | null): void {
    if (!existsSync(folder)) lose(folder)
    const file = name === null ? folder : join(folder, name)
    if (name !== null && !files.has(file) && !MODULE.test(name)) return
    timer.cancel()
    timer = clock.after(QUIET_MS, () => changed(file))
  }
  /** It is looked at again when something of it is loaded again. */
  function lose(folder: string, error?: Error): void {
    folders.get(folder)?.close()
    folders.delete(folder)
    if (error) blind(folder, error)
  }
  return {
    add(loaded) {
      for (const file of loaded) {
        if (file.startsWith(OWN) || file.split(sep).includes('node_modules') || basename(file) === '') continue
        files.add(file)
        look(dirname(file))
      }
    },
    close() {
      timer.cancel()
      for (const watcher of folders.values()) watcher?.close()
    },
  }
}
