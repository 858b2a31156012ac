import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The root of the repository, with a closing slash, for tests that read sources: they run from `.build/test` and from `test`. */
export const root = fileURLToPath(
  ['../', '../../'].map(up => new URL(up, import.meta.url)).find(url => existsSync(new URL('package.json', url)))!,
)
