/**
 * Imports the modules that a person names: ES modules, CommonJS, TypeScript. Only files that are named, never what lies about.
 * Node 22.18 and later read TypeScript by themselves; before that the user's own tsx is asked, if it is installed.
 */
import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { nearest } from '../lib/did-you-mean.ts'
import { shortDuration, shown } from '../lib/duration.ts'
import { GreenroomError } from '../lib/errors.ts'
import { circleOf } from './circle.ts'
import type { Io } from './command.ts'
import { withoutEsmWarning } from './esm-warning.ts'
import { EXIT } from './exit.ts'
import { CliError, lineOf } from './failure.ts'

const TYPESCRIPT = /\.[cm]?tsx?$/
/** An import that takes longer probably waits for something that never comes. */
const SLOW_MS = 10_000

const refuse = (what: string, help: string, cause?: unknown) =>
  new CliError(EXIT.module, what, { help, ...(cause === undefined ? {} : { cause }) })

/** The files, absolute and without links, before anything is imported. @throws {CliError} for what is not a file */
export const locateModules = (modules: readonly string[], cwd: string): string[] => modules.map(module => locate(module, cwd))

function locate(module: string, cwd: string): string {
  const path = resolve(cwd, module)
  const kind = statSync(path, { throwIfNoEntry: false })
  if (kind?.isFile()) return realpathSync(path)
  if (kind?.isDirectory())
    throw refuse(
      `${shown(module)} is a folder`,
      `Name the file in it that defines the actors, for example ${join(module, 'index.js')}`,
    )
  const folder = dirname(path)
  if (!existsSync(folder))
    throw refuse(
      `There is no module ${shown(module)}`,
      `There is no folder ${folder} either; modules are paths of files, from ${cwd}`,
    )
  const files = readdirSync(folder).filter(name => /\.[cm]?[jt]sx?$/.test(name))
  const stem = (name: string) => name.replace(/\.\w+$/, ''),
    same = files.filter(name => stem(name) === stem(basename(path)))
  const near = nearest(basename(path), same) ?? same[0] ?? nearest(basename(path), files)
  throw refuse(
    `There is no module ${shown(module)}`,
    near === undefined ? `Modules are paths of files, from ${cwd}` : `Did you mean ${join(dirname(module), near)}?`,
  )
}

/** Imports one after the other, and answers what they export. @throws {CliError} with exit code 4, which says what to do */
export async function importModules(paths: readonly string[], io: Io): Promise<readonly object[]> {
  const modules: object[] = []
  if (paths.some(path => TYPESCRIPT.test(path))) await readTypeScript(io)
  for (const path of paths) {
    const name = relative(io.cwd, path)
    const slow = io.clock.after(SLOW_MS, () =>
      io.error(
        `greenroom: still importing ${name} after ${shortDuration(SLOW_MS)}: does it await something at the top that never comes?`,
      ),
    )
    try {
      modules.push(await withoutEsmWarning(() => import(pathToFileURL(path).href) as Promise<object>))
    } catch (error) {
      const place = placeOf(error)
      throw refuse(
        `${name} could not be loaded: ${lineOf(error)}${place === undefined ? '' : ` (${place})`}`,
        helpOf(error, path, place, io.cwd),
        error,
      )
    } finally {
      slow.cancel()
    }
  }
  return modules
}

/** Where Node cannot read TypeScript and no loader was given with --import, the user's tsx becomes one. */
async function readTypeScript({ cwd, env }: Io): Promise<void> {
  if (isNative()) return
  if (/\btsx\b/.test([...process.execArgv, env['NODE_OPTIONS'] ?? ''].join(' '))) return
  let tsx: string
  try {
    tsx = createRequire(join(cwd, 'package.json')).resolve('tsx')
  } catch {
    return
  } // another loader may be at work: the import tells
  await import(pathToFileURL(tsx).href)
}

const isNative = (): boolean => Boolean((process.features as { typescript?: string | false }).typescript)

/** This package, built: its own frames tell a user nothing. */
const OWN = new URL('..', import.meta.url)

/** The first place in the stack that is the user's: where to look. */
function placeOf(error: unknown): string | undefined {
  const stack = error instanceof Error && !(error instanceof GreenroomError) ? (error.stack ?? '') : ''
  const places = [...stack.matchAll(/(?<=^|[\s(])(?:file:\/\/)?(?:\/|[A-Za-z]:\\)[^\s()]*:\d+/g)].map(([place]) => place)
  return places.find(place => !/[\\/]node_modules[\\/]/.test(place) && !place.includes(OWN.pathname))
}

/** The file and the line of a place. */
function fileOf(place: string): readonly [file: string, line: number] {
  const [, file = place, line] = /^(.+?)(?:\?[^/]*?)?:(\d+)(?::\d+)?$/.exec(place) ?? []
  return [file.startsWith('file:') ? fileURLToPath(file) : file, Number(line)]
}

/** What Node, and tsx, say of the syntax of ES modules in a file that they take for CommonJS. */
const ESM_SYNTAX =
  /^Cannot use import statement outside a module$|^Unexpected token 'export'$|^Cannot use 'import\.meta' outside a module$|^await is only valid in async functions and the top level bodies of modules$|Top-level await is currently not supported with the "cjs" output format/

/** What makes a file an ES module; undefined for one that is. */
function esmHelp(file: string, message: string, tsx: string): string | undefined {
  const [, stem, kind, ending] = /([^\\/]+)\.([cm]?)([jt]sx?)$/.exec(file) ?? []
  if (kind === undefined || kind === 'm') return undefined
  const manifest = kind === 'c' ? undefined : manifestOf(dirname(file))
  const rename = `name it ${stem}.m${ending}`
  if (manifest === undefined) return `It is an ES module, and its name says CommonJS: ${rename}`
  const isTypescript = ending!.startsWith('t') && message.includes('import statement') // tsx makes require() of these, and of nothing else
  const orTsx = isTypescript ? `, or run ${tsx} and start it with NODE_OPTIONS='--import tsx'` : ''
  return `It is an ES module in a package of CommonJS: ${rename}, or write "type": "module" in ${manifest}${orTsx}`
}

/** What CommonJS calls by names that an ES module does not have. */
const CJS_WORDS = /^(require|module|exports|__dirname|__filename) is not defined in ES module scope/

function cjsHelp(file: string, word: string): string | undefined {
  const [, stem, ending] = /([^\\/]+)\.[cm]?([jt]sx?)$/.exec(file) ?? []
  if (stem === undefined) return undefined
  const instead = { require: 'import', module: 'export', exports: 'export' }[word] ?? `import.meta.${word.slice(2)}`
  return `It is an ES module: write ${instead} in the place of ${word}, or, if all of it is CommonJS, name it ${stem}.c${ending}`
}

/** The package.json that says what the files of a folder are, or where there should be one. */
function manifestOf(folder: string): string {
  let at = folder
  while (!existsSync(join(at, 'package.json'))) {
    if (dirname(at) === at) return join(folder, 'package.json')
    at = dirname(at)
  }
  return join(at, 'package.json')
}

function helpOf(error: unknown, path: string, place: string | undefined, cwd: string): string {
  const { code, message = '' } = (typeof error === 'object' && error !== null ? error : {}) as { code?: string; message?: string }
  const tsx = 'npm install --save-dev tsx'
  if (code === 'ERR_UNKNOWN_FILE_EXTENSION' && /"\.[cm]?tsx?"/.test(message)) {
    return TYPESCRIPT.test(path)
      ? `Node ${process.versions.node} does not read TypeScript: run ${tsx}, or take Node 22.18 or later`
      : `Node ${process.versions.node} does not read TypeScript: run ${tsx} and start it with NODE_OPTIONS='--import tsx', or take Node 22.18 or later`
  }
  if (
    code === 'ERR_UNSUPPORTED_TYPESCRIPT_SYNTAX' ||
    (code === 'ERR_MODULE_NOT_FOUND' && TYPESCRIPT.test(path) && isNative() && /\.[cm]?js'/.test(message))
  ) {
    return `Node leaves types out and changes nothing else: run ${tsx} and start it with NODE_OPTIONS='--import tsx'`
  }
  const [file, line] = place === undefined ? [path, 0] : fileOf(place)
  const esm = ESM_SYNTAX.test(message) ? esmHelp(file, message, tsx) : undefined
  if (esm !== undefined) return esm
  const [, word] = CJS_WORDS.exec(message) ?? []
  const cjs = word === undefined ? undefined : cjsHelp(file, word)
  if (cjs !== undefined) return cjs
  const circle = circleOf(message, file, line)
  if (circle) {
    const [user, from] = [relative(cwd, file), relative(cwd, circle.from)]
    return `${user} takes ${circle.name} from ${from}, which imports ${user} in turn: make the app in a file of its own, which imports no actors`
  }
  const missing = /^Cannot find package '([^']+)'/.exec(message)?.[1]
  if (missing !== undefined) return `Is ${missing} installed? Run npm install`
  if (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND')
    return 'Mend the import; ES modules name files with their ending'
  if (message === 'Unexpected end of input')
    return `Mend it: a {, ( or [ is closed nowhere; node ${relative(cwd, path)} shows in which file`
  if (error instanceof SyntaxError) return `Mend it: node ${relative(cwd, path)} shows the line`
  return 'Mend the module: the command line imports it and starts the worker by itself'
}
