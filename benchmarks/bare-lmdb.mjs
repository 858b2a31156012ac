/**
 * What lmdb can do with the same transactions, in a thread of its own: the limit that `file:` is measured against. The thread is asked
 * by messages, as the broker's is; a put a message when it is sent, a removal when it is done, one flushed transaction a batch.
 */
import { once } from 'node:events'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'

/** @returns what stores, and what takes and removes, a batch of so many in one transaction */
export async function bareLmdb(path) {
  const thread = new Worker(new URL(import.meta.url), { workerData: { path } })
  await once(thread, 'message')
  const ask = async request => {
    thread.postMessage(request)
    return (await once(thread, 'message'))[0]
  }
  return {
    put: count => ask({ kind: 'put', count }),
    take: count => ask({ kind: 'take', count }),
    close: async () => {
      await ask({ kind: 'close' })
      await once(thread, 'exit')
    },
  }
}

if (!isMainThread && workerData?.path) {
  const { open } = await import('lmdb')
  const db = open({ path: workerData.path, keyEncoding: 'binary', encoding: 'binary' })
  const body = Buffer.alloc(260, 'x')
  const key = Buffer.alloc(8)
  let head = 0
  let tail = 0
  const keyOf = n => {
    key.writeDoubleBE(n)
    return Buffer.from(key)
  }
  parentPort.postMessage('ready')
  parentPort.on('message', ({ kind, count }) => {
    if (kind === 'close') {
      void db.close().then(() => {
        parentPort.postMessage('closed')
        parentPort.close()
      })
      return
    }
    db.transactionSync(() => {
      for (let i = 0; i < count; i++) {
        if (kind === 'put') db.putSync(keyOf(tail++), body)
        else if (head < tail) {
          db.get(keyOf(head))
          db.removeSync(keyOf(head++))
        }
      }
    })
    parentPort.postMessage(count)
  })
}
