/**
 * The lock file of a folder that names an older transaction than the last one, as lmdb leaves it when a process opens the folder while
 * another commits: what was committed must stay.
 */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { openDatabase } from '../../brokers/embedded/database.ts'
import { openMetas } from '../../brokers/embedded/metas.ts'
import { newGate } from '../../brokers/embedded/standstill.ts'
import { folder } from './embedded-target.ts'

/** So many that their number is like no other in the lock file. */
const COMMITS = 300

/** In a process of its own, as closing the lock file would drop the locks of this one. */
const SET_BACK = `
  const { openSync, readSync, writeSync } = require('node:fs')
  const [file, last, by] = process.argv.slice(1), handle = openSync(file, 'r+'), bytes = Buffer.alloc(256)
  readSync(handle, bytes, 0, 256, 0)
  const found = []
  for (let at = 0; at < 256; at += 8) if (bytes.readBigUInt64LE(at) === BigInt(last)) found.push(at)
  bytes.writeBigUInt64LE(BigInt(last) - BigInt(by))
  for (const at of found) writeSync(handle, bytes, 0, 8, at)
  console.log(found.length)`

async function open(t: Test, path: string) {
  const db = await openDatabase(path, 'none', newGate())
  t.teardown(() => db.close())
  const metas = openMetas(join(path, 'data.mdb'))
  t.teardown(() => metas[Symbol.dispose]())
  const setBack = (by: number) =>
    t.equal(
      execFileSync(process.execPath, ['-e', SET_BACK, join(path, 'lock.mdb'), `${metas.last()}`, `${by}`], { encoding: 'utf8' }),
      '1\n',
    )
  const put = (n: number) =>
    db.transactionSync(() => {
      db.put(Buffer.from(`key-${n}`), Buffer.from(`${n}`))
    })
  const keys = () => {
    db.resetReadTxn()
    return [...db.getKeys({ start: Buffer.of(0), end: Buffer.of(0xff) })].length
  }
  return { db, put, setBack, keys }
}

t.test('a lock file that was set back: the next transaction is after the last commit, and loses nothing', async t => {
  for (const by of [1, 2, 3]) {
    const { put, setBack, keys } = await open(t, folder(t))
    for (let n = 0; n < COMMITS; n++) put(n)
    setBack(by)
    for (let n = COMMITS; n < COMMITS + 10; n++) put(n)
    t.equal(keys(), COMMITS + 10, `by ${by}`)
  }
})

t.test('the body of a transaction that has to find its place runs once', async t => {
  const { db, put, setBack } = await open(t, folder(t))
  for (let n = 0; n < COMMITS; n++) put(n)
  setBack(1)
  let bodies = 0
  db.transactionSync(() => {
    bodies++
  })
  t.equal(bodies, 1)
})
