/** `greenroom doctor`: what is well, what somebody should look at, what does not work. And the scripts for shells. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import { COMMANDS } from '../../cli/commands/index.ts'
import { oddIn } from '../../cli/doctor.ts'
import { greenroom } from '../../index.ts'
import { systemClock } from '../../lib/clock.ts'
import { cli } from './fake-io.ts'
import { folder } from '../brokers/embedded-target.ts'

const QUIET = { ready: 0, delayed: 0, leased: 0, suspect: 0, dead: 0, oldestMs: 0, paused: false }

t.test('a broker that answers, with what is in it', async t => {
  const path = folder(t),
    app = greenroom({ broker: `file:${path}` }),
    ask = () => cli(['doctor', '--broker', `file:${path}`], { cwd: path, env: {}, clock: systemClock })
  const mail = app.declare<() => void>('mail', { queue: 'mail' })
  await mail.send()
  const { code, out } = await ask()
  t.equal(code, 0)
  t.match(out, /^ok +Node \d+/m)
  t.match(out, /^look +greenroom 0\.0\.0; it is not installed in .*: npm install greenroom$/m)
  t.match(out, new RegExp(`^ok +broker file:${path} \\(--broker, environment development\\) answered in `, 'm'))
  t.match(out, /^ok +\d+ MB free on the disk of /m)
  t.match(out, /^ok +1 queue, and nothing odd in them$/m)
  t.equal((await cli(['pause', 'mail', '--broker', `file:${path}`], { clock: systemClock })).code, 0)
  t.match((await ask()).out, /^look +queue mail is paused: greenroom resume mail$/m)
  await app.close()
})

t.test('what does not work is one line each, and the first decides the exit code', async t => {
  const cwd = t.testdir({ 'greenroom.config.mjs': 'export default 4', 'file.txt': 'text' })
  const { code, out } = await cli(['doctor', '--broker', `file:${join(cwd, 'file.txt')}`], { cwd, env: {}, clock: systemClock })
  t.equal(code, 2)
  t.match(out, /^bad +greenroom\.config\.mjs: there is no settings object/m)
  t.match(await cli(['doctor', '--broker', 'amqp://:secret@nowhere'], { cwd: t.testdir({}), env: {} }), {
    code: 2,
    out: /^bad .*\[BROKER_UNKNOWN\]$/m,
  })
  t.notMatch((await cli(['doctor', '--broker', 'amqp://:secret@nowhere'], { cwd: t.testdir({}), env: {} })).out, /secret/)
})

t.test('what is odd in a queue', async t => {
  const texts = (counts: Partial<typeof QUIET>) => oddIn('mail', { ...QUIET, ...counts }).map(({ text }) => text)
  t.strictSame(texts({ ready: 5, oldestMs: 1_000 }), [])
  t.strictSame(texts({ ready: 5, leased: 1, oldestMs: 3_600_000 }), [], 'a backlog is not odd while something runs')
  t.match(texts({ ready: 5, oldestMs: 3_600_000 }), [/the oldest of 5 has waited 1h and nothing runs: does a worker serve it\?/])
  t.match(texts({ ready: 5, oldestMs: 3_600_000, paused: true }), [/is paused/])
  t.match(texts({ dead: 1, suspect: 2 }), [/1 dead letter: greenroom dead list mail/, /2 messages whose workers died/])
})

t.test('bash completes commands, their second words and their options', async t => {
  const { out } = await cli(['completion', 'bash'])
  const complete = (...words: string[]) =>
    execFileSync(
      'bash',
      [
        '-c',
        `${out}\nCOMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _greenroom; echo "\${COMPREPLY[@]}"`,
        'bash',
        'greenroom',
        ...words,
      ],
      {
        encoding: 'utf8',
      },
    )
      .trim()
      .split(' ')
  t.strictSame(complete('qu'), ['queues'])
  t.strictSame(complete('dead', 'l'), ['list'])
  t.strictSame(complete('dead', 'list', '--js'), ['--json'])
  t.ok(complete('worker', 'jobs.ts', '--gr').includes('--grace'))
  for (const { name, flags } of COMMANDS) {
    t.strictSame(complete(...name.split(' ')), [name.split(' ').at(-1)])
    for (const flag of Object.keys(flags))
      t.ok(complete(...name.split(' '), 'x', `--${flag}`).includes(`--${flag}`), `${name} --${flag}`)
  }
})

t.test('zsh is given what bash is, and fish each command and option', async t => {
  const bash = (await cli(['completion', 'bash'])).out
  t.ok((await cli(['completion', 'zsh'])).out.endsWith(bash))
  const { out } = await cli(['completion', 'fish'])
  for (const { name, flags } of COMMANDS) {
    t.ok(out.includes(`-a ${name.split(' ').at(-1)} `), name)
    for (const flag of Object.keys(flags)) t.ok(out.includes(` -l ${flag}`), flag)
  }
  t.match(await cli(['completion', 'tcsh']), { code: 2, err: /no script for "tcsh"\. There are bash, zsh, fish/ })
})
