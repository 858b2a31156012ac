/** The program of a server, or what it is run with, as the system has it or as scripts/need-servers.mjs gets it. Without one the test fails, and says what to install. */
import { join } from 'node:path'
import { root } from '../root.ts'

interface Found {
  readonly path?: string
  readonly help?: string
}
const needs = (await import(join(root, 'scripts/need-servers.mjs'))) as Readonly<
  Record<'needRedis' | 'needRabbitmq' | 'needFaketime' | 'needOpenssl', () => Found>
>

export function needed(need: keyof typeof needs): string {
  const { path, help } = needs[need]()
  if (path === undefined) throw new Error(help)
  return path
}
