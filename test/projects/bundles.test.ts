/** A program that esbuild joins to one small file sends and runs, as ES module and as CommonJS, on every broker that needs no server. */
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import esbuild, { type Format } from 'esbuild'
import t from 'tap'
import { environment, project, run, shop } from '../helpers/installed.ts'

const PROGRAM = `
  import { GreenroomError, current, greenroom } from 'greenroom'
  const app = greenroom({ broker: process.argv[2], encoding: process.argv[3] })
  const hello = app.actor(async name => console.log('hello,', name, current().attempt), { name: 'hello' })
  async function main() {
    await hello.send('Ada')
    const worker = await app.work({ until: 'idle' })
    await worker.stopped
    await app.close()
  }
  main().catch(error => {
    console.log(error instanceof GreenroomError, error.message)
    process.exitCode = 1
  })
`
const FORMATS: readonly (readonly [Format, string])[] = [
  ['esm', 'mjs'],
  ['cjs', 'cjs'],
]

/** `esbuild --bundle --minify --platform=node`, which has nothing to complain of. */
async function bundle(folder: string, format: Format, external: readonly string[] = []): Promise<string> {
  const outfile = join(folder, `out.${format === 'cjs' ? 'cjs' : 'mjs'}`)
  const { warnings } = await esbuild.build({
    absWorkingDir: folder,
    entryPoints: ['main.mjs'],
    outfile,
    format,
    bundle: true,
    minify: true,
    platform: 'node',
    external: [...external],
    logLevel: 'silent',
  })
  if (warnings.length > 0) throw new Error(warnings.map(({ text }) => text).join('\n'))
  return outfile
}

for (const source of ['import', 'require'])
  for (const [format] of FORMATS) {
    const code = source === 'import' ? PROGRAM : PROGRAM.replace(/import (.*) from (.*)/, 'const $1 = require($2)')
    if (source === 'require' && format === 'esm') continue // esbuild leaves its require of Node's own modules there
    t.test(`${source}, bundled as ${format}: sends and runs on memory: and file:`, async t => {
      const folder = await project({ 'main.mjs': code, 'package.json': '{}' })
      const file = await bundle(folder, format)
      for (const broker of ['memory:', `file:${folder}/queue`])
        t.equal((await run(folder, process.execPath, [file, broker])).stdout, 'hello, Ada 0\n', broker)
      t.equal((await run(folder, process.execPath, [file, 'memory:', 'msgpack'])).stdout, 'hello, Ada 0\n', 'msgpack')
      t.equal(
        (await run(folder, process.execPath, [await bundle(folder, format, ['greenroom']), `file:${folder}/other`])).stdout,
        'hello, Ada 0\n',
        'left out of the bundle',
      )
    })
  }

t.test('a bundle that is carried away from the package runs on memory:, and says what file: needs', async t => {
  const away = join(shop, 'away') // no package here or above
  mkdirSync(away)
  for (const [format, ending] of FORMATS) {
    const file = join(away, `bundle.${ending}`)
    copyFileSync(await bundle(await project({ 'main.mjs': PROGRAM }), format), file)
    t.equal((await run(away, process.execPath, [file, 'memory:'])).stdout, 'hello, Ada 0\n')
    const { status, stdout } = spawnSync(process.execPath, [file, `file:${away}/queue`], {
      cwd: away,
      env: environment(),
      encoding: 'utf8',
    })
    t.match(stdout, /^true This is a bundle, .* Run npm install greenroom, .*\[ENGINE_MISSING\]\n$/, format)
    t.equal(status, 1)
    const packed = spawnSync(process.execPath, [file, 'memory:', 'msgpack'], { cwd: away, env: environment(), encoding: 'utf8' })
    t.match(
      packed.stdout,
      /^true The package msgpackr cannot be loaded\. .*run npm install greenroom.*\[DRIVER_MISSING\]\n$/,
      format,
    )
    // Where the program was started counts too: a bundle elsewhere, node_modules in the current folder.
    t.equal((await run(join(shop, 'projects'), process.execPath, [file, `file:${away}/queue`])).stdout, 'hello, Ada 0\n')
  }
})

t.test('without { name } minifying is noticed: a name of one or two letters, or none', async t => {
  const folder = await project({
    'main.mjs': `import { actor } from 'greenroom'
      async function resizeImage() {}
      console.log(actor(resizeImage).name.length <= 2)
      try { actor(async () => {}) } catch ({ code }) { console.log(code) }
      console.log(actor(resizeImage, { name: 'resize' }).name)`,
  })
  const { stdout, stderr } = await run(folder, process.execPath, [await bundle(folder, 'esm')])
  t.equal(stdout, 'true\nACTOR_ANONYMOUS\nresize\n')
  t.match(stderr, /a very short name: if a bundler made it, it changes with the next build; give \{ name \}/)
  t.equal(stderr.match(/a very short name/g)!.length, 1, 'not where a name is given')
})
