/**
 * Modules that import each other: one of them runs before the other has made what it needs, and Node says only which name is not
 * there yet. Read from the sources as text; what this does not find is left to Node's own words.
 */
import { existsSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'

/** A module that an import in `from` names, as Node or a TypeScript loader finds it; none for a package. */
function targetOf(specifier: string, from: string): string | undefined {
  const path = resolve(dirname(from), specifier)
  const typed = path.replace(/\.([cm]?)js$/, '.$1ts')
  return specifier.startsWith('.') ? [path, typed, `${path}.js`, `${path}.ts`].find(file => existsSync(file)) : undefined
}

const IMPORTS = /\b(?:from|import|require)\s*\(?\s*['"]([^'"\n]+)['"]/g

function importsOf(file: string): string[] {
  try {
    return [...readFileSync(file, 'utf8').matchAll(IMPORTS)].flatMap(([, specifier]) => targetOf(specifier!, file) ?? [])
  } catch {
    return [] // a folder, or not ours to read
  }
}

function reaches(from: string, to: string, seen = new Set<string>()): boolean {
  if (from === to) return true
  if (seen.has(from)) return false
  seen.add(from)
  return importsOf(from).some(next => reaches(next, to, seen))
}

/**
 * The module that `file` imports `name` from, if that one imports `file` in turn.
 * @param line of `file`, from 1: where the error happened
 */
export function circleOf(
  message: string,
  file: string,
  line: number,
): { readonly name: string; readonly from: string } | undefined {
  const source = existsSync(file) ? readFileSync(file, 'utf8') : ''
  const [, early] = /^Cannot access '([\w$]+)' before initialization$/.exec(message) ?? []
  const [, method] = /^Cannot read properties of undefined \(reading '(actor|declare)'\)$/.exec(message) ?? [] // in CommonJS
  const [, found] =
    method === undefined ? [] : (new RegExp(`([\\w$]+)[\\w$.]*\\.${method}\\b`).exec(source.split('\n')[line - 1] ?? '') ?? [])
  const name = early ?? found
  if (name === undefined) return undefined
  const word = `(?<![\\w$.])${name.replaceAll('$', '\\$&')}(?![\\w$])`
  const binding = new RegExp(
    `(?:\\bimport\\b[^'";]*?${word}[^'";]*?\\bfrom\\s*|${word}[^'";]*?=\\s*require\\(\\s*)['"]([^'"\\n]+)['"]`,
  )
  const [, specifier] = binding.exec(source) ?? []
  const from = specifier === undefined ? undefined : targetOf(specifier, file)
  return from !== undefined && reaches(from, file) ? { name, from } : undefined
}
