/**
 * TypeScript in a thread. Newer Node reads it by itself, and passes loaders on to threads; before that the user's own tsx, which
 * registers itself in the main thread alone, is asked to do so here.
 */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

const TYPESCRIPT = /\.[cm]?tsx?$/
let registered = false

interface Loader {
  register(): unknown
}

/** Does nothing for other modules, and where no tsx is installed: the import tells. */
export async function readTypeScript(url: string): Promise<void> {
  if (registered || !TYPESCRIPT.test(url) || (process.features as { typescript?: string | false }).typescript) return
  registered = true
  for (const api of ['tsx/cjs/api', 'tsx/esm/api']) {
    let found: string
    try {
      found = createRequire(url).resolve(api)
    } catch {
      return
    }
    const esm = found.replace(/\.cjs$/, '.mjs') // what import() would find, of which require() finds the neighbour
    const program = existsSync(esm) ? esm : found
    ;((await import(pathToFileURL(program).href)) as Loader).register()
  }
}
