import t from 'tap'
import { parse } from '../../cli/args.ts'
import { command } from '../../cli/command.ts'
import { COMMANDS } from '../../cli/commands/index.ts'
import { EXIT_TABLE } from '../../cli/exit.ts'
import { cli } from './fake-io.ts'

t.test('without arguments, and with --help, it shows every command, an example of each and the exit codes', async t => {
  for (const argv of [[], ['--help'], ['-h'], ['help']]) {
    const { code, out, err } = await cli(argv)
    t.equal(code, 0)
    t.equal(err, '')
    for (const { name, examples } of COMMANDS) {
      t.ok(out.includes(`greenroom ${name} `), name)
      t.ok(out.includes(examples[0]!), `an example of ${name}`)
    }
    for (const [exit, meaning] of EXIT_TABLE) t.ok(out.includes(`${exit}  ${meaning}`), meaning)
  }
})

t.test('the help of a command has its options, its examples and the exit codes', async t => {
  for (const { name, flags, examples } of COMMANDS) {
    for (const argv of [
      [...name.split(' '), '--help'],
      [...name.split(' '), 'x', 'y', '-h'],
      ['help', ...name.split(' ')],
    ]) {
      const { code, out } = await cli(argv)
      t.equal(code, 0, argv.join(' '))
      for (const flag of [...Object.keys(flags), 'help', 'verbose']) t.ok(out.includes(`--${flag}`), flag)
      for (const example of examples) t.ok(out.includes(example), example)
      t.match(out, 'Exit codes')
    }
  }
})

t.test('the version', async t => {
  t.match(await cli(['--version']), { code: 0, out: '0.0.0' })
})

t.test('a mistake is one line that says what to write, and exit code 2', async t => {
  for (const [argv, line] of [
    [['queus'], 'Unknown command "queus". Did you mean greenroom queues?'],
    [
      ['frobnicate'],
      'Unknown command "frobnicate". There are worker, send, queues, list, show, remove, promote, pause, resume, purge, dead, doctor, completion',
    ],
    [['dead', 'lits'], 'Unknown command "dead lits". Did you mean greenroom dead list?'],
    [['queues', '--jsn'], 'Unknown option "--jsn". Did you mean --json?'],
    [
      ['queues', '--frobnicate'],
      'Unknown option "--frobnicate". greenroom queues has --json, --watch, --every, --broker, --namespace, --module, --help, --verbose',
    ],
    [['remove', 'one', '--all'], 'Unknown option "--all". greenroom remove has --queue, --broker,'],
    [['queues', '-x'], 'Unknown option "-x". greenroom queues has --json,'],
    [['queues', '--json=1'], '--json takes no value. Write --json alone'],
    [['queues', '--broker'], '--broker needs a value. Write --broker <url>'],
    [['queues', '--broker', '--json'], '--broker needs a value. Write --broker <url>'],
    [['queues', 'mail'], '"mail" is one argument too many. Write greenroom queues, for example: greenroom queues'],
    [
      ['show'],
      'Something is missing. Write greenroom show <id>, for example: greenroom show 0b5d4c1e-6f0a-4f43-9a57-3f1f0d7f8f11',
    ],
    [
      ['--json', 'queues'],
      '"--json" stands before the command. Write greenroom <command> [options], for example: greenroom queues --json',
    ],
    [['worker', 'a.js', '--concurrency', '0'], '--concurrency cannot be "0". Give a whole number from 1'],
    [
      ['worker', 'a.js', '--queues', 'a=1,b'],
      'Some queues of --queues have a limit, and some have none. Write images,mail or images=2,mail=50',
    ],
    [['worker', 'a.js', '--queues', 'a=x'], 'The limit of the queue a cannot be "x". Give a whole number from 1'],
    [['worker', 'a.js', '--grace', 'soon'], '--grace cannot be "soon". Write 500ms'],
  ] as const) {
    const { code, out, err } = await cli(argv)
    t.equal(code, 2, argv.join(' '))
    t.equal(out, '')
    t.ok(err.startsWith(`greenroom: ${line}`), err)
    t.notMatch(err, '\n')
  }
})

t.test('dead alone shows its commands', async t => {
  t.match(await cli(['dead', '--help']), { code: 0, out: /dead list[^]*dead show[^]*dead revive[^]*dead drop/ })
  t.match(await cli(['dead']), { code: 2, out: /dead list/ })
})

t.test('stacks are shown with --verbose and with DEBUG only', async t => {
  t.notMatch((await cli(['queues', '--broker', 'x:y'])).err, '\n')
  t.match((await cli(['queues', '--broker', 'x:y', '--verbose'])).err, /\n +at /)
  t.match((await cli(['queues', '--broker', 'x:y'], { env: { DEBUG: 'greenroom' } })).err, /\n +at /)
  t.notMatch((await cli(['queues', '--broker', 'x:y'], { env: { DEBUG: 'express' } })).err, '\n')
})

t.test('credentials of a broker are never shown', async t => {
  for (const broker of ['redis://user:s3cret@host/0', 'amqps://:s3cret@host', 'foo://x?password=s3cret']) {
    for (const argv of [['queues'], ['queues', '--verbose'], ['send', 'hello']]) {
      const given = await cli([...argv, '--broker', broker])
      const set = await cli(argv, { env: { GREENROOM_BROKER: broker } })
      t.notMatch(JSON.stringify([given, set]), 's3cret')
      t.match(given.err, /foo:|redis:|amqps:/)
    }
  }
})

t.test('arguments', async t => {
  const any = command({
    name: 'any',
    usage: '',
    summary: '',
    flags: { word: { type: 'string', value: 'word', help: '' }, yes: { type: 'boolean', short: 'y', help: '' } },
    examples: [],
    arity: [0, Infinity],
    run: async () => 0,
  })
  for (const [argv, positionals, values] of [
    [['a', '--word', 'b', 'c'], ['a', 'c'], { word: 'b' }],
    [['--word=--yes', '-y'], [], { word: '--yes', yes: true }],
    [['-1', '-.5', '--word', '-2'], ['-1', '-.5'], { word: '-2' }],
    [['--', '--word', '-y'], ['--word', '-y'], {}],
    [['--word', 'a', '--word', 'b'], [], { word: 'b' }],
  ] as const) {
    t.strictSame(parse(any, argv), { positionals, values }, argv.join(' '))
  }
})
