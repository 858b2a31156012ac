/**
 * Where the files are that run by themselves: threads, and three programs. In the package they lie beside this one, or
 * below the part of a build that it was joined to. A user's bundle has none of them: then they are those of the package, if it is installed.
 */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

export type Program =
  | 'brokers/embedded/engine'
  | 'brokers/embedded/lock-search'
  | 'brokers/embedded/reopen'
  | 'brokers/embedded/verify'
  | 'brokers/redis/keeper'
  | 'lib/keeper/thread'
  | 'lib/thread/main'

/** This file; a bundler that makes CommonJS leaves `import.meta` empty. */
const here: string = import.meta.url ?? (typeof __filename === 'string' ? pathToFileURL(__filename).href : 'file:///')

/** What Node must be started with to run it: of what this process has, only what makes it read TypeScript. */
export const optionsOf = (program: URL): readonly string[] => (program.pathname.endsWith('.js') ? [] : process.execArgv)

/** Undefined where it is not: this is a bundle or a part of the package, and the whole is installed neither beside it nor beside what was started. */
export function programOf(name: Program, from = here): URL | undefined {
  const [, root, ending] = /^(.*\/)(?:lib\/programs|lib\/part-[A-Z0-9]{8})(\.[jt]s)$/.exec(from) ?? []
  if (root !== undefined) {
    // A thread may import ES modules, which the CommonJS build cannot: its `import()` is `require()`.
    const program = new URL(`${root.replace(/\/dist\/cjs\/$/, '/dist/esm/')}${name}${ending}`)
    if (existsSync(program)) return program // webpack writes the place that this file had when it was bundled, on another machine maybe
  }
  for (const start of [fileURLToPath(from), process.argv[1], join(process.cwd(), 'package.json')]) {
    try {
      const manifest = createRequire(start!).resolve('greenroom/package.json')
      const program = pathToFileURL(join(manifest, `../dist/esm/${name}.js`))
      if (existsSync(program)) return program
    } catch {} // not from there, or not a file at all
  }
  return undefined
}
