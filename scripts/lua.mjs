/**
 * Prints brokers/redis/scripts.ts from the Lua files beside it: one a script, what several share in `shared/`, put in where a line says
 * `--!include name`. Comments stay behind. The printed file is committed, so that editors and tests need no step before; a build prints it again.
 */
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { filesIn, readOr, root } from './tree.mjs'

const FOLDER = 'brokers/redis/scripts'

/** Whether the printed file was up to date. */
export function printLua() {
  const names = filesIn(FOLDER)
    .filter(path => path.endsWith('.lua') && !path.includes('/shared/'))
    .map(path => basename(path, '.lua'))
  const scripts = names.map(name => {
    const lua = whole(`${FOLDER}/${name}.lua`).join('\n')
    const sha = createHash('sha1').update(lua).digest('hex')
    return `  ${/^\w+$/.test(name) ? name : `'${name}'`}: {\n    sha: '${sha}',\n    lua: ${JSON.stringify(lua)},\n  },\n`
  })
  const text = `/** Printed by scripts/lua.mjs from scripts/*.lua: the scripts of the Redis broker, by name, and what Redis calls them. */\nexport const SCRIPTS = {\n${scripts.join('')}} as const\n\nexport type ScriptName = keyof typeof SCRIPTS\n`
  const path = join(root, 'brokers/redis/scripts.ts')
  if (readOr(path) === text) return true
  writeFileSync(path, text)
  return false
}

/** The lines of a file with those that it includes, without comments and empty ones. */
const whole = path =>
  readFileSync(join(root, path), 'utf8')
    .split('\n')
    .flatMap(line => {
      const [, included] = /^--!include (\w+)$/.exec(line.trim()) ?? []
      if (included) return whole(`${FOLDER}/shared/${included}.lua`)
      return /^\s*(--|$)/.test(line) ? [] : [line.replace(/ -- .*$/, '')]
    })
