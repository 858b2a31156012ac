/**
 * Ends the processes of a test that cannot do it itself any more: killed at its time limit, or crashed. A shell waits for the end of a
 * pipe that only the test holds, kills these groups of processes by their ids, and removes their folder.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Socket } from 'node:net'

const SCRIPT = 'read -r _; folder=$1; shift; for group; do kill -KILL "-$group"; done; rm -rf -- "$folder"'

/** @param groups ids of processes that lead their groups @returns call it when they have ended: their ids may be given to others then */
export function guard(folder: string, groups: readonly number[]): () => Promise<void> {
  // A group of its own: Ctrl-C in a terminal ends the test, and not what cleans up behind it.
  const shell = spawn('sh', ['-c', SCRIPT, 'sh', folder, ...groups.map(String)], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
  })
  const gone = once(shell, 'exit')
  // A test that has forgotten its server ends all the same, and the server with it.
  shell.unref()
  ;(shell.stdin as Socket).unref()
  return async () => {
    shell.ref()
    shell.kill('SIGKILL')
    await gone
  }
}
