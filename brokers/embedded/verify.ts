/** Run as a program: reads a folder to its end and tries to write. A file that was cut ends this process, and not the one that asked. */
import { openDatabase } from './database.ts'
import { newGate } from './standstill.ts'

const [path] = process.argv.slice(2)
if (path !== undefined) void check(path)

async function check(folder: string): Promise<void> {
  const db = await openDatabase(folder, 'none', newGate())
  for (const { value } of db.getRange({ start: Buffer.of(0), end: Buffer.of(0xff) })) value.at(-1)
  const { ABORT } = await import('lmdb')
  db.transactionSync(() => {
    db.put(Buffer.from('!'), Buffer.of(1))
    return ABORT
  })
  await db.close()
}
