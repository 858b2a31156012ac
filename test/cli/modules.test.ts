/** What is wrong with a module is one line that says what to do, and exit code 4. */
import { join } from 'node:path'
import t from 'tap'
import { root } from '../root.ts'
import { cli } from './fake-io.ts'

const index = JSON.stringify(join(root, '.build/index.js'))
const from = `import { greenroom } from ${index}\nconst app = greenroom({ broker: 'memory:', namespace: 'modules' })\n`

const rows: readonly (readonly [what: string, files: Record<string, string>, module: string, line: RegExp])[] = [
  ['is not there', { 'jobs.mjs': '' }, 'job.mjs', /There is no module "job\.mjs"\. Did you mean jobs\.mjs\?$/],
  ['has another ending', { 'jobs.ts': '' }, './jobs.js', /There is no module ".\/jobs\.js"\. Did you mean jobs\.ts\?$/],
  ['has another ending, with two of its name', { 'a.cjs': '', 'a.mjs': '', 'a.ts': '' }, 'a.tsx', /Did you mean a\.ts\?$/],
  ['has no ending', { 'jobs.mjs': '' }, 'jobs', /Did you mean jobs\.mjs\?$/],
  ['is in no folder', {}, 'src/jobs.js', /There is no module "src\/jobs\.js"\. There is no folder \S+\/src either/],
  [
    'is a folder',
    { jobs: { 'index.js': '' } as unknown as string },
    'jobs',
    /"jobs" is a folder\. Name the file in it .* jobs\/index\.js$/,
  ],
  [
    'throws',
    { 'jobs.mjs': `\n\nthrow new TypeError('no DATABASE_URL')` },
    'jobs.mjs',
    /jobs\.mjs could not be loaded: TypeError: no DATABASE_URL \(file:\S+jobs\.mjs:3:\d*\)?.* Mend the module/,
  ],
  ['throws something odd', { 'jobs.mjs': `throw null` }, 'jobs.mjs', /jobs\.mjs could not be loaded: .*null\. Mend the module/],
  [
    'does not parse',
    { 'jobs.mjs': `\nconst = 1` },
    'jobs.mjs',
    /jobs\.mjs could not be loaded: SyntaxError: .*\. Mend it: node jobs\.mjs shows the line$/,
  ],
  [
    'ends too early',
    { 'jobs.mjs': `export const a = () => {\n  if (true) {\n` },
    'jobs.mjs',
    /SyntaxError: Unexpected end of input\. Mend it: a \{, \( or \[ is closed nowhere; node jobs\.mjs shows in which file$/,
  ],
  [
    'imports a package that is not installed',
    { 'jobs.mjs': `import 'not-installed'` },
    'jobs.mjs',
    /Cannot find package 'not-installed'.* Is not-installed installed\? Run npm install$/,
  ],
  [
    'imports a file that is not there',
    { 'jobs.mjs': `import './lib'` },
    'jobs.mjs',
    /Cannot find module.*Mend the import; ES modules name files with their ending$/,
  ],
  [
    'imports, in a package of CommonJS',
    { 'package.json': '{ "type": "commonjs" }', 'jobs.js': `import { greenroom } from ${index}\ngreenroom()` },
    'jobs.js',
    /jobs\.js could not be loaded: SyntaxError: .* \(\S+jobs\.js:1\)\. It is an ES module in a package of CommonJS: name it jobs\.mjs, or write "type": "module" in \/\S+\/package\.json$/,
  ],
  [
    'exports, in a package of CommonJS',
    { 'package.json': '{}', 'jobs.cjs': `exports.a = 1\nexport const b = 2` },
    'jobs.cjs',
    /SyntaxError: Unexpected token 'export' \(\S+jobs\.cjs:2\)\. It is an ES module, and its name says CommonJS: name it jobs\.mjs$/,
  ],
  [
    'awaits at its top, in a folder of a package of CommonJS',
    {
      'package.json': '{ "type": "commonjs" }',
      src: { 'jobs.js': `const { readFile } = require('node:fs/promises')\nawait readFile('.')` } as unknown as string,
    },
    'src/jobs.js',
    /name it jobs\.mjs, or write "type": "module" in \/\S+\/package\.json$/,
  ],
  [
    'requires, in an ES module',
    { 'jobs.mjs': `const { greenroom } = require(${index})` },
    'jobs.mjs',
    /ReferenceError: require is not defined .* It is an ES module: write import in the place of require, or, if all of it is CommonJS, name it jobs\.cjs$/,
  ],
  [
    'exports as CommonJS, in a package of ES modules',
    { 'package.json': '{ "type": "module" }', 'jobs.js': `\nmodule.exports = 1` },
    'jobs.js',
    /It is an ES module: write export in the place of module, or, if all of it is CommonJS, name it jobs\.cjs$/,
  ],
  [
    'uses the app of a module that imports it',
    {
      'app.mjs': `import './lib.mjs'\n${from}export { app }`,
      'lib.mjs': `import './jobs.mjs'`,
      'jobs.mjs': `import { app } from './app.mjs'\n\napp.actor(async () => {}, { name: 'resize' })`,
    },
    'app.mjs',
    /app\.mjs could not be loaded: ReferenceError: .* \(file:\S+jobs\.mjs:3:1\)\. jobs\.mjs takes app from app\.mjs, which imports jobs\.mjs in turn: make the app in a file of its own, which imports no actors$/,
  ],
  [
    'requires the app of a module that requires it',
    {
      'app.cjs': `require('./jobs.cjs')\nexports.app = undefined`,
      'jobs.cjs': `const { app } = require('./app.cjs')\napp.actor(async () => {}, { name: 'resize' })`,
    },
    'app.cjs',
    /TypeError: .* jobs\.cjs takes app from app\.cjs, which imports jobs\.cjs in turn: make the app in a file of its own/,
  ],
  [
    'uses an app that another module does not have, without a circle',
    {
      'app.cjs': `exports.apps = 1`,
      'jobs.cjs': `const { app } = require('./app.cjs')\napp.actor(async () => {}, { name: 'resize' })`,
    },
    'jobs.cjs',
    /TypeError: .* Mend the module/,
  ],
  [
    'uses its own app too early',
    { 'jobs.mjs': `app.actor(async () => {}, { name: 'resize' })\n${from}` },
    'jobs.mjs',
    /ReferenceError: Cannot access 'app' before initialization .* Mend the module/,
  ],
  [
    'has no actor',
    { 'jobs.mjs': `export const resize = async () => {}` },
    'jobs.mjs',
    /jobs\.mjs defines no actor\. .*Plain functions that are exported are not actors$/,
  ],
  [
    'has an app without an actor',
    { 'jobs.mjs': from },
    'jobs.mjs',
    /jobs\.mjs makes an app without an actor\. Name the modules that call app\.actor/,
  ],
  [
    'only declares',
    { 'jobs.mjs': `${from}app.declare('resize')` },
    'jobs.mjs',
    /jobs\.mjs only declares resize: implement\(\) was not called while it was loaded\. Name the module that calls implement\(\) .*NestJS.* app\.work\(\), see "In a provider class" in docs\/guide\.md$/,
  ],
  [
    'starts a worker itself',
    { 'jobs.mjs': `${from}app.actor(async () => {}, { name: 'resize' })\nawait app.work()` },
    'jobs.mjs',
    /jobs\.mjs starts a worker itself\. Take app\.work\(\) out of it/,
  ],
  [
    'names an actor wrongly',
    { 'jobs.mjs': `${from}app.actor(async () => {})` },
    'jobs.mjs',
    /could not be loaded: An actor has no name.*ACTOR_ANONYMOUS/,
  ],
]
for (const [what, files, module, line] of rows) {
  t.test(`a module that ${what}`, async t => {
    const { code, out, err } = await cli(['worker', module], { cwd: t.testdir(files) })
    t.match(err, line)
    t.equal(code, 4)
    t.equal(out, '')
    t.notMatch(err, '\n')
    if (!/no module|is a folder/.test(err)) return
    t.strictSame(
      await cli(['worker', module, '--processes', '2'], { cwd: t.testdirName }),
      { code, out, err },
      'before a process is started',
    )
  })
}

t.test('two actors of one name', async t => {
  const cwd = t.testdir({
    'app.mjs': `${from}export { app }`,
    'a.mjs': `import { app } from './app.mjs'\napp.actor(async () => {}, { name: 'resize' })`,
    'b.mjs': `import { app } from './app.mjs'\napp.actor(async () => {}, { name: 'resize' })`,
  })
  t.match(await cli(['worker', 'a.mjs', 'b.mjs'], { cwd }), {
    code: 4,
    err: /Two actors are called resize: in \S+a\.mjs:2:5, \S+b\.mjs:2:5/,
  })
})

t.test('queues on which no actor is', async t => {
  const cwd = t.testdir({
    'two.mjs': `${from}app.actor(async () => {}, { name: 'a', queue: 'a' })\nconst other = greenroom({ broker: 'memory:', namespace: 'other' })\nother.actor(async () => {}, { name: 'b', queue: 'b' })`,
  })
  t.match(await cli(['worker', 'two.mjs', '--queues', 'a b'], { cwd }), { code: 2, err: /NAME_INVALID/ })
})

t.test('an actor need not be exported; with several apps each serves its queues', async t => {
  const cwd = t.testdir({
    'jobs.mjs': `import { greenroom } from ${index}
      const one = greenroom({ broker: 'memory:', namespace: 'one' }), two = greenroom({ broker: 'memory:', namespace: 'two' })
      one.actor(async () => {}, { name: 'first', queue: 'a' })
      two.actor(async () => {}, { name: 'second', queue: 'b' })`,
  })
  const { code, out } = await cli(['worker', 'jobs.mjs', '--drain'], { cwd })
  t.equal(code, 0)
  t.match(
    out,
    /broker +memory: \(one\).*\n +queues +a \(10 at once\)\n +actors +first\n[^]*\n +queues +b \(10 at once\)\n +actors +second\n/,
  )
})

t.test('a module that sends while a worker loads it is warned of, once an actor, and works', async t => {
  const cwd = t.testdir({
    'jobs.mjs': `${from}
      const hello = app.actor(async () => { await later.send() }, { name: 'hello' })
      const later = app.actor(async () => {}, { name: 'later' })
      const mail = app.actor(async () => {}, { name: 'mail' })
      await hello.send()
      await hello.send()
      void mail.send()`,
    'quiet.mjs': `import { greenroom } from ${index}
      const app = greenroom({ broker: 'memory:', namespace: 'quiet' })
      const hello = app.actor(async () => { await hello.send() }, { name: 'hello' })
      hello.message()`,
  })
  const { code, err } = await cli(['worker', 'jobs.mjs', '--drain'], { cwd })
  const line = (actor: string) =>
    `greenroom: jobs.mjs sends to ${actor} while it is loaded, so each worker that starts sends again. Send from another module, which no worker loads`
  t.strictSame(err.split('\n'), ['hello', 'mail'].map(line))
  t.equal(code, 0)
  t.strictSame(await cli(['worker', 'quiet.mjs', '--drain'], { cwd }).then(({ err }) => err), '')
})
