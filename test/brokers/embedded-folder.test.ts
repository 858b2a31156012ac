/** Folders that cannot be used, or not any more: each a clear error or a recovery. */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { open } from 'lmdb'
import t from 'tap'
import { embeddedBroker } from '../../brokers/embedded/index.ts'
import { BUILD, PROGRAM } from '../helpers/cast.ts'
import { keepLines } from '../helpers/recorder.ts'
import { consume, envelope, folder, never, play, receive } from './embedded-target.ts'

const isRoot = process.getuid?.() === 0
/** A user that owns nothing. */
const NOBODY = 65_534

const rawDb = (path: string) =>
  open<Buffer, Buffer>({
    path,
    noSubdir: false,
    encoding: 'binary',
    keyEncoding: 'binary',
    maxDbs: 1,
    overlappingSync: false,
  } as never)
async function filled(path: string, count: number): Promise<void> {
  await using broker = embeddedBroker({ path })
  await broker.push(Array.from({ length: count }, (_, n) => envelope(`${n}`, { body: Buffer.alloc(500) })))
}
async function refuses(t: Tap, path: string, message: RegExp): Promise<void> {
  await using broker = embeddedBroker({ path })
  await t.rejects(broker.push([envelope('a')]), { code: 'FOLDER_INVALID', message })
  await t.rejects(broker.inspector!.counts('q'), { code: 'FOLDER_INVALID' }, 'and again')
}
type Tap = typeof t

t.test('a folder that is a file', async t => {
  const path = folder(t)
  writeFileSync(path, '')
  const taken = new RegExp(
    `cannot be made \\(ENOTDIR\\): ${path} is a file\\. Move that file away, or give \`file:\` another folder`,
  )
  await refuses(t as Tap, path, taken)
  await refuses(t as Tap, join(path, 'below'), taken)
  await refuses(t as Tap, join(path, 'far/below'), taken)
})

t.test('a folder that every user may write to is told of, once, and used', async t => {
  for (const [mode, told] of [
    [0o777, 1],
    [0o703, 1],
    [0o770, 0],
    [0o755, 0],
    [0o700, 0],
  ] as const) {
    const path = folder(t)
    mkdirSync(path)
    chmodSync(path, mode)
    const { log, lines } = keepLines()
    await using broker = embeddedBroker({ path, log })
    await using other = embeddedBroker({ path, log })
    for (const one of [broker, other]) {
      await one.push([envelope('a')])
      await one.push([envelope('b')])
    }
    t.equal(lines.length, told, mode.toString(8))
    if (told) t.match(lines, [{ level: 'warn', facts: { path }, text: `(mode 0${mode.toString(8)})` }])
    t.equal(statSync(path).mode & 0o777, mode, 'it keeps its mode')
  }
})

t.test(
  'a folder that cannot be made, where Node itself would try for ever',
  { skip: !existsSync('/proc') && 'no /proc here' },
  async t => {
    await refuses(t as Tap, '/proc/nope/deeper', /cannot be written.*give `file:` another folder/)
  },
)

t.test('a folder of another user', { skip: !isRoot && 'only root can become another user' }, async t => {
  const path = folder(t)
  mkdirSync(path, { mode: 0o700 })
  using sender = play(t, 'refused', { path }, { uid: NOBODY })
  t.match(await sender.says('refused'), { code: 'FOLDER_INVALID', message: /cannot be written/ })
})

t.test('a folder of another format', async t => {
  const path = folder(t)
  await filled(path, 1)
  const db = rawDb(path)
  await db.put(Buffer.from('F'), Buffer.from(JSON.stringify({ format: 99 })))
  await db.close()
  await refuses(t as Tap, path, /has format 99/)
})

t.test('a data.mdb of somebody else', async t => {
  const path = folder(t),
    db = rawDb(path)
  await db.put(Buffer.from('theirs'), Buffer.from('x'))
  await db.close()
  await refuses(t as Tap, path, /not Greenroom's|is not ours|holds a data.mdb/)
})

t.test('a data.mdb that is no database', async t => {
  const path = folder(t)
  mkdirSync(path)
  writeFileSync(join(path, 'data.mdb'), 'x'.repeat(100_000))
  await refuses(t as Tap, path, /holds a data.mdb/)
})

t.test('a data.mdb that was cut is an error, and never a crash', async t => {
  for (const part of [0.9, 0.5, 0.1]) {
    const path = folder(t),
      data = join(path, 'data.mdb')
    await filled(path, 2_000)
    truncateSync(data, Math.floor(statSync(data).size * part))
    await refuses(t as Tap, path, /is damaged/)
  }
})

t.test('a folder whose processes were all killed is whole', async t => {
  const path = folder(t)
  using sender = play(t, 'flood', { path, ledger: `${path}.ledger`, size: 100 })
  await sender.says('flooding')
  sender.kill('SIGKILL')
  await sender.ended
  await using broker = embeddedBroker({ path })
  t.ok((await broker.inspector!.counts('q')).ready >= 100)
})

t.test('a folder written without flushing on another boot is read to its end, and says so', async t => {
  const path = folder(t),
    lines: string[] = []
  const log = {
    debug() {},
    info() {},
    error() {},
    warn: (_: object, text = '') => {
      lines.push(text)
    },
  }
  await filled(path, 100)
  const db = rawDb(path)
  await db.put(Buffer.from('F'), Buffer.from(JSON.stringify({ format: 1, unsafe: 'another boot' })))
  await db.close()
  await using broker = embeddedBroker({ path, log })
  t.equal((await broker.inspector!.counts('q')).ready, 100)
  t.match(lines, [/sync: none/])
})

t.test('closing a folder that was not flushed leaves it clean', async t => {
  const path = folder(t)
  const broker = embeddedBroker({ path, sync: 'none' })
  await broker.push([envelope('a')])
  await broker[Symbol.asyncDispose]()
  const db = rawDb(path)
  t.strictSame(JSON.parse(db.get(Buffer.from('F'))!.toString()), { format: 1 })
  await db.close()
})

t.test('a folder that is deleted while it is in use ends its engine, and a later call makes a new one', async t => {
  const path = folder(t)
  await using broker = embeddedBroker({ path })
  await broker.push([envelope('a')])
  const consumer = await consume(broker),
    taking = (async () => {
      for (;;) await consumer.take(10, { waitMs: 2 ** 40, signal: never })
    })()
  rmSync(path, { recursive: true })
  await t.rejects(taking, { code: 'FOLDER_INVALID', message: /deleted or replaced/ })
  t.strictSame(await broker.push([envelope('b')]), ['stored'])
  t.equal((await broker.inspector!.counts('q')).ready, 1)
})

/** Where there is no room for more: a file that may not grow, by the shell's `ulimit -f`; and a disk of its own, where one may be mounted. */
const ROOM_KB = 24_576
const disk = mkdtempSync(join(tmpdir(), 'greenroom-disk-'))
const mounted = isRoot && spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${ROOM_KB}k`, 'tmpfs', disk]).status === 0
t.teardown(() => {
  if (mounted) execFileSync('umount', [disk])
  rmSync(disk, { recursive: true })
})

t.test('a full disk refuses messages, and those that are there still run', async t => {
  const limited = ['a file that may not grow', folder(t), `ulimit -f ${ROOM_KB * 2} && `] as const // in 512 bytes
  for (const [what, path, limit] of mounted ? [limited, ['a full disk', join(disk, 'folder'), ''] as const] : [limited]) {
    const filler = spawn('sh', ['-c', `${limit}exec "$0" "$@"`, process.execPath, PROGRAM, 'fill', path], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, BUILD },
    })
    t.teardown(() => void filler.kill('SIGKILL'))
    let output = ''
    for (const stream of [filler.stdout, filler.stderr]) stream.setEncoding('utf8').on('data', (text: string) => (output += text))
    await once(filler, 'close')
    t.equal(filler.exitCode, 0, output)
    t.match(output, /the disk is full: messages are refused until there is room/, what)
    const [, json = '{}'] = /^filled (.*)$/m.exec(output) ?? []
    const { stored, ...rest } = JSON.parse(json) as { stored: number }
    t.comment(`${what}: ${stored} messages fit`)
    t.ok(stored > 1_000, what)
    t.strictSame(
      rest,
      { code: 'DISK_FULL', retryable: true, nothing: 'no', ran: stored, again: 'stored', last: 'again' },
      `${what}: everything that was acknowledged runs, and then there is room again`,
    )
  }
})

t.test('pages that are freed are used again, whatever was looked at before', async t => {
  const path = folder(t)
  await using broker = embeddedBroker({ path, sync: 'none' })
  const { inspector, store } = broker
  await broker.push([
    envelope('ready'),
    envelope('low', { priority: 2 }),
    envelope('later', { due: { afterMs: 1e6 } }),
    envelope('dead'),
    envelope('held'),
  ])
  const consumer = await consume(broker)
  const held = await receive(consumer, 3)
  await consumer.settle([{ token: held[0]!.token, kind: 'dead', reason: 'x' }])
  await inspector!.queues()
  await inspector!.counts('q')
  for (const place of ['ready', 'delayed', 'leased', 'suspect', 'dead'] as const) await inspector!.list('q', place, { limit: 1 })
  await inspector!.find('later', 'q')
  await store!.set([{ key: 'k', value: Buffer.from('v'), ttlMs: 1e6 }])
  await store!.get(['k', 'none'])
  await store!.append([{ topic: 't', value: Buffer.from('v'), ttlMs: 1e6 }])
  await store!.read([{ topic: 't' }], { waitMs: 0, signal: never })
  await store!.members('none')
  const sizes: number[] = []
  for (let round = 0; round < 150; round++) {
    await broker.push(
      Array.from({ length: 200 }, (_, n) => envelope(`${round}-${n}`, { queue: 'busy', body: Buffer.alloc(500) })),
    )
    await inspector!.purge('busy')
    sizes.push(statSync(join(path, 'data.mdb')).size)
  }
  t.ok(sizes[149]! < 1.2 * sizes[49]!, `${sizes[49]} bytes after 50 rounds, ${sizes[149]} after 150`)
})
