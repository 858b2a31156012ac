/** Node on this tree as a process of its own, to its end. */
import { spawn } from 'node:child_process'
import { root } from '../root.ts'

export function runNode(args: readonly string[]): Promise<{ stdout: string; stderr: string; code: number | null }> {
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.setEncoding('utf8').on('data', text => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', text => (stderr += text))
  return new Promise(resolve => child.on('close', code => resolve({ stdout, stderr, code })))
}
