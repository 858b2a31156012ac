/**
 * Run as a program, while the one that asks holds the lock of the folder: opens it and leaves. What lmdb does when it opens a folder is what
 * sets its lock file to the last commit: see database.ts. Only to read, as whoever opens to write waits for that lock.
 */
const [path] = process.argv.slice(2)
if (path !== undefined) void reopen(path)

async function reopen(folder: string): Promise<void> {
  const { open } = await import('lmdb')
  await open({ path: folder, noSubdir: false, maxDbs: 1, readOnly: true }).close()
}
