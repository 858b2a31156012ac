/** Which processes are alive, on this boot, in this pid namespace. Linux tells all of it in /proc; elsewhere a pid is all there is. */
import { execFileSync } from 'node:child_process'
import { readFileSync, readlinkSync } from 'node:fs'
import { uptime } from 'node:os'

/** A process that has the folder open, as its row says. */
export interface Peer {
  readonly pid: number
  readonly start: string
  readonly boot: string
  readonly namespace: string
}

const read = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

/** What is the same until the machine boots again. Monotonic times of two boots cannot be compared. */
export function bootId(now: number): string {
  const linux = read('/proc/sys/kernel/random/boot_id')?.trim()
  if (linux) return linux
  if (process.platform === 'darwin') {
    try {
      return execFileSync('sysctl', ['-n', 'kern.bootsessionuuid'], { encoding: 'utf8' }).trim()
    } catch {
      /* the next best, below */
    }
  }
  return `booted ${Math.round((now / 1_000 - uptime()) / 60)}`
}

/** What tells a process from a later one with its pid, and whether it has ended and nobody has collected it yet. */
function stat(pid: number): { readonly start: string; readonly ended: boolean } | undefined {
  const line = read(`/proc/${pid}/stat`)
  // The name may hold spaces and parentheses: count from its end.
  const fields = line?.slice(line.lastIndexOf(')') + 2).split(' ')
  return fields && { start: fields[19] ?? '', ended: fields[0] === 'Z' || fields[0] === 'X' }
}

export function thisProcess(now: number): Peer {
  let namespace = ''
  try {
    namespace = readlinkSync('/proc/self/ns/pid')
  } catch {
    /* no namespaces here */
  }
  return { pid: process.pid, start: stat(process.pid)?.start ?? '', boot: bootId(now), namespace }
}

export function exists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: it is there, and another user's.
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

/** Whether the process of a row still runs. Dearer than `exists`: it reads a file. */
export function isAlive({ pid, start }: Peer): boolean {
  if (!exists(pid)) return false
  const now = stat(pid)
  return now === undefined || (!now.ended && (start === '' || now.start === start))
}
