/**
 * Compiles the sources. `dist/esm` is what tsc writes, its code joined to a few files (opening a file costs more than reading
 * it), its types as they are. `dist/cjs` is the same code, file by file, as CommonJS, for a `require` that does not know
 * `module-sync`. Each result is made in a folder of its own and then moved into place, so that programs which run meanwhile
 * never meet half of a build.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import esbuild from 'esbuild'
import { printLua } from './lua.mjs'
import { filesIn, fingerprint, readOr, root } from './tree.mjs'

/** What runs by itself, in a thread or a process: lib/programs.ts finds these. */
const PROGRAMS = [
  ...['engine', 'lock-search', 'reopen', 'verify'].map(name => `brokers/embedded/${name}.js`),
  'brokers/redis/keeper.js',
  'lib/keeper/thread.js',
  'lib/thread/main.js',
]

/** Builds `dist/` and marks it with the fingerprint of its inputs. False, and nothing changes, when the sources do not compile. */
export function build(inputs) {
  console.log('building dist/ ...')
  printLua()
  return replace('dist', async out => {
    if (!tsc('tsconfig.build.json', `${out}/esm`)) return false
    await bundle(`${out}/esm`)
    await commonjs(`${out}/esm`, `${out}/cjs`)
    writeFileSync(join(root, out, '.inputs'), inputs)
    return true
  })
}

/** Compiles the whole tree with its tests to `.build/`, unless that is up to date. False when a type is wrong; it runs all the same. */
export async function buildTests() {
  printLua()
  const inputs = fingerprint(['lib', 'middleware', 'brokers', 'cli', 'examples', 'benchmarks', 'test', 'package-lock.json'])
  if (readOr(join(root, '.build/.inputs')) === inputs) return true
  let typed = false
  await replace('.build', async out => {
    typed = tsc('tsconfig.test.json', out)
    writeFileSync(join(root, out, '.inputs'), typed ? inputs : '')
    return true
  })
  return typed
}

function tsc(project, outDir) {
  const compiler = join(root, 'node_modules/typescript/bin/tsc')
  const { status } = spawnSync(process.execPath, [compiler, '-p', project, '--outDir', outDir], { cwd: root, stdio: 'inherit' })
  return status === 0
}

/** Joins compiled files in place: the doors and programs keep their names, what they share becomes `lib/part-*.js`, a name that two files know. */
async function bundle(esm) {
  const { bin, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const doors = [bin.greenroom, ...Object.values(exports).map(door => door.import?.default)].filter(path => path !== undefined)
  const { metafile } = await esbuild.build({
    absWorkingDir: root,
    entryPoints: [...doors.map(path => path.replace('./dist/esm/', '')), ...PROGRAMS].map(path => `${esm}/${path}`),
    outbase: esm,
    outdir: esm,
    allowOverwrite: true,
    chunkNames: 'lib/part-[hash]',
    bundle: true,
    splitting: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'node20',
    sourcemap: true,
    metafile: true,
    logLevel: 'warning',
  })
  for (const path of filesIn(esm)) if (!path.endsWith('.d.ts') && !(path in metafile.outputs)) rmSync(join(root, path))
}

async function commonjs(esm, cjs) {
  const files = filesIn(esm).filter(path => !path.startsWith(`${esm}/cli/`))
  const code = files.filter(path => path.endsWith('.js'))
  const asksWhereItIs = path => readFileSync(join(root, path), 'utf8').includes('import.meta.url')
  const options = {
    absWorkingDir: root,
    outbase: esm,
    outdir: cjs,
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    supported: { 'dynamic-import': false }, // a lazy require: jest, and whatever else runs CommonJS in a vm, refuses import()
    sourcemap: false, // stacks point at dist/cjs, which reads like the source: maps would double the package
    logLevel: 'warning',
  }
  await esbuild.build({ ...options, entryPoints: code.filter(path => !asksWhereItIs(path)) })
  await esbuild.build({
    ...options,
    entryPoints: code.filter(asksWhereItIs),
    define: { 'import.meta.url': '__importMetaUrl' },
    banner: { js: `const __importMetaUrl = require('node:url').pathToFileURL(__filename).href;` },
  })
  for (const path of files) {
    if (path.endsWith('.d.ts')) cpSync(join(root, path), join(root, cjs + path.slice(esm.length)))
  }
  writeFileSync(join(root, cjs, 'package.json'), '{ "type": "commonjs" }\n')
}

/** Lets `make` fill a new folder, and puts it in the place of `folder` when it says true. */
async function replace(folder, make) {
  const fresh = `.build-${process.pid}`
  const stale = `${fresh}-old`
  try {
    mkdirSync(join(root, fresh), { recursive: true })
    if (!(await make(fresh))) return false
    try {
      renameSync(join(root, folder), join(root, stale))
    } catch {} // the first build has nothing to replace
    renameSync(join(root, fresh), join(root, folder))
    return true
  } finally {
    for (const path of [fresh, stale]) rmSync(join(root, path), { recursive: true, force: true })
  }
}
