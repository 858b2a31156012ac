/**
 * The modules that a thread imports to find an actor: where it was defined. Read from the stack as V8 has it, and not as source maps
 * or a user's `prepareStackTrace` show it: a thread imports what really runs.
 */
import { existsSync } from 'node:fs'
import { isAbsolute } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { isOwnFile } from '../own-files.ts'
import { shared } from '../registry.ts'

/**
 * URLs, the likeliest first: the module that was being evaluated, then the file that called `actor()`, where that is a helper of the
 * user's. Empty for code that no file has (`node -e`, what a development server compiled).
 */
export function homes(): readonly string[] {
  const files = rawFiles()
  const first = files.findIndex(file => !isOwn(file))
  const own = files[0] // in a bundle everything is one file
  const outside = first < 0 ? [] : files.slice(first)
  const end = outside.findIndex(file => file.startsWith('node:'))
  const user = (end < 0 ? outside : outside.slice(0, end)).filter(file => !isOwn(file))
  const found = user.length > 0 ? [user.at(-1)!, user[0]!] : own === undefined ? [] : [own]
  return [...new Set(found.flatMap(urlOf))]
}

function urlOf(file: string): readonly string[] {
  const path = file.startsWith('file:') ? fileURLToPath(file.replace(/[?#].*$/, '')) : file
  return isAbsolute(path) && existsSync(path) ? [pathToFileURL(path).href] : [] // `[eval1]` has a URL, too
}

const isOwn = (file: string): boolean => isOwnFile(file, [...shared.roots])

/** The files of the stack, innermost first, this one among them. */
function rawFiles(): readonly string[] {
  const { prepareStackTrace } = Error
  try {
    Error.prepareStackTrace = (_, sites) => sites
    const { stack } = new Error() as unknown as { stack: readonly NodeJS.CallSite[] }
    return Array.isArray(stack) ? stack.flatMap(site => site.getFileName() ?? []) : []
  } catch {
    return [] // frozen intrinsics
  } finally {
    Error.prepareStackTrace = prepareStackTrace!
  }
}

/** This copy, as V8 names its files: in a build its parts. */
const [, root] = /^(.*[\\/])lib[\\/](?:thread[\\/]home|part-[A-Z0-9]{8})\.[jt]s$/.exec(rawFiles()[0] ?? '') ?? []
if (root !== undefined) shared.roots.add(root)
