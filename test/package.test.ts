/** What a user installs: the files of the packed package, and its front doors as they open in Node. Needs `dist/`, which `npm test` builds. */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { posix } from 'node:path'
import t from 'tap'
import { linksOf, textOf } from './docs-pages.ts'
import { root } from './root.ts'

const require = createRequire(`${root}package.json`)
const { exports: doors } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as { exports: Record<string, unknown> }
const subpaths = Object.keys(doors).filter(door => door !== './package.json')
const packed = filesOfThePackage()

t.test('the package holds what it is built to, and nothing else', async t => {
  t.strictSame([...new Set(packed.map(path => path.split('/')[0]))].toSorted(), [
    'CHANGELOG.md',
    'CONTRIBUTING.md',
    'LICENSE',
    'README.md',
    'SECURITY.md',
    'dist',
    'docs',
    'package.json',
  ])
  const parts = packed.filter(path => path.startsWith('dist/')).map(path => path.split('/').slice(1, -1).slice(0, 2).join('/'))
  const code = ['brokers', 'lib', 'middleware'].flatMap(folder => [`cjs/${folder}`, `esm/${folder}`])
  t.strictSame([...new Set(parts)].toSorted(), ['cjs', 'esm', 'esm/cli', ...code].toSorted())
  t.strictSame(
    packed.filter(path => /\.test\.|\.inputs$/.test(path)),
    [],
  )
})

t.test('links between the pages of the package lead to what is in it', async t => {
  const pages = packed.filter(path => path.endsWith('.md'))
  t.ok(pages.some(path => path.startsWith('docs/')))
  for (const page of pages)
    for (const link of linksOf(textOf(page)).filter(link => !/^(?:[a-z]+:|#)/.test(link)))
      t.ok(packed.includes(posix.join(posix.dirname(page), link.split('#')[0]!)), `${page} links to ${link}`)
})

t.test('a source map of the package carries its sources', async t => {
  for (const path of packed.filter(name => name.endsWith('.map'))) {
    const { sources, sourcesContent } = JSON.parse(readFileSync(root + path, 'utf8')) as {
      sources: string[]
      sourcesContent?: (string | null)[]
    }
    t.equal(sourcesContent?.filter(text => text !== null).length, sources.length, path)
  }
})

t.test('what the doors name is in the package', async t => {
  const targets = JSON.stringify(doors).match(/\.\/dist[^"]+/g)!
  for (const target of targets) t.ok(packed.includes(posix.normalize(target)), target)
})

t.test('import and require of one Node give one instance', async t => {
  for (const subpath of subpaths) {
    const name = posix.join('greenroom', subpath)
    const imported = (await import(name)) as Record<string, unknown>
    const required = require(name) as Record<string, unknown>
    t.strictSame(
      Object.keys(imported).filter(key => imported[key] !== required[key]),
      [],
      name,
    )
  }
})

t.test('the CommonJS build loads by itself and exports the same names', async t => {
  for (const subpath of subpaths) {
    const file = (doors[subpath] as { require: { default: string } }).require.default
    const names = `Object.keys(require(${JSON.stringify(root + file)})).sort().join()`
    const printed = execFileSync(process.execPath, ['--no-experimental-require-module', '-p', names], {
      encoding: 'utf8',
      cwd: root,
    })
    const imported = (await import(posix.join('greenroom', subpath))) as Record<string, unknown>
    t.equal(
      printed.trim(),
      Object.keys(imported)
        .filter(name => name !== 'default' && name !== 'module.exports')
        .toSorted()
        .join(),
      file,
    )
  }
})

t.test('the CommonJS build has no import(): it requires a broker at its first use', async t => {
  for (const path of packed.filter(name => /^dist\/cjs\/.*\.js$/.test(name)))
    t.notMatch(readFileSync(root + path, 'utf8'), /\bimport\(/, path)
  const script = `const { greenroom } = require('./dist/cjs/index.js')
const loaded = Object.keys(require.cache).length
const app = greenroom({ broker: 'memory:' })
console.log(Object.keys(require.cache).length - loaded)
app.actor(() => {}, { name: 'note' }).send().then(() => console.log(Object.keys(require.cache).length > loaded))`
  const printed = execFileSync(process.execPath, ['--no-experimental-require-module', '-e', script], {
    encoding: 'utf8',
    cwd: root,
  })
  t.equal(printed, '0\ntrue\n')
})

function filesOfThePackage(): string[] {
  const shell = process.platform === 'win32' // npm is a .cmd file there
  const listing = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: root,
    shell,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const [{ files }] = JSON.parse(listing) as [{ files: { path: string }[] }]
  return files.map(({ path }) => path)
}
