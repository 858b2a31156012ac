/** The working tree as the scripts see it. Paths are relative to its root, with forward slashes. Uses Node alone. */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))

/** A hash of the names and contents of files and folders, and of the settings at the top of the tree. */
export function fingerprint(paths) {
  const hash = createHash('sha256')
  const add = path =>
    hash
      .update(`${path}\0`)
      .update(readFileSync(join(root, path)))
      .update('\0')
  const top = readdirSync(root).filter(name => /\.ts$|^tsconfig.*\.json$|^package\.json$/.test(name))
  for (const path of [...top, ...paths].toSorted()) {
    if (!existsSync(join(root, path))) continue
    const inside = /\.\w+$/.test(path) ? [path] : filesIn(path)
    inside.forEach(add)
  }
  return hash.digest('hex')
}

/** Files under a folder, deep, sorted. */
export function filesIn(folder) {
  if (!existsSync(join(root, folder))) return []
  return readdirSync(join(root, folder), { withFileTypes: true })
    .flatMap(entry => (entry.isDirectory() ? filesIn(`${folder}/${entry.name}`) : [`${folder}/${entry.name}`]))
    .toSorted()
}

export function readOr(path, otherwise = undefined) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return otherwise
  }
}

/** The programs of this name on the PATH, the first one first. */
export const onPath = name =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .map(folder => join(folder, name))
    .filter(existsSync)
