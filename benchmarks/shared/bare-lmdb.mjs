/**
 * What lmdb can do in a thread of its own that is asked by messages, as the broker's is: the limit that `file:` is measured against.
 * One flushed transaction a batch. Two kinds:
 *
 *   same   the same writes as the broker's: a record and an id in, both out again, and a lease a batch
 *   least  one record in and out, which keeps no ids, no leases and no counts
 */
import { once } from 'node:events'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'

/** @returns what stores, and what takes and removes, a batch of so many in one transaction */
export async function bareLmdb(path, kind) {
  const thread = new Worker(new URL(import.meta.url), { workerData: { path, kind } })
  await once(thread, 'message')
  const ask = async (what, ids) => {
    thread.postMessage({ what, ids })
    return (await once(thread, 'message'))[0]
  }
  return {
    put: ids => ask('put', ids),
    take: ids => ask('take', ids),
    close: async () => {
      const exited = once(thread, 'exit')
      await ask('close')
      await exited
    },
  }
}

if (!isMainThread && workerData?.path) {
  const { open } = await import('lmdb')
  const db = open({ path: workerData.path, keyEncoding: 'binary', encoding: 'binary', overlappingSync: false })
  const isSame = workerData.kind === 'same'
  const record = Buffer.alloc(260, 'x'),
    place = Buffer.alloc(9),
    leaseKey = Buffer.from('C')
  let head = 0,
    tail = 0
  const keyOf = n => {
    const key = Buffer.alloc(14, 'M')
    key.writeDoubleBE(n, 6)
    return key
  }
  const idKey = id => Buffer.from(`I${id}`, 'latin1')
  const steps = {
    put(id) {
      if (isSame) {
        if (db.getBinaryFast(idKey(id)) !== undefined) throw new Error('an id twice')
        db.putSync(idKey(id), place)
      }
      db.putSync(keyOf(tail++), record)
    },
    take(id) {
      if (head === tail || db.getBinaryFast(keyOf(head)) === undefined) throw new Error('a message is lost')
      db.removeSync(keyOf(head++))
      if (isSame) db.removeSync(idKey(id))
    },
  }
  parentPort.postMessage('ready')
  parentPort.on('message', ({ what, ids }) => {
    if (what === 'close') {
      void db.close().then(() => {
        parentPort.postMessage('closed')
        parentPort.close()
      })
      return
    }
    db.transactionSync(() => {
      for (const id of ids) steps[what](id)
      if (what === 'take' && isSame) db.putSync(leaseKey, Buffer.alloc(13 * ids.length))
    })
    parentPort.postMessage(ids.length)
  })
}
