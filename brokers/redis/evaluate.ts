/** Runs a script on a connection. It was loaded there; one that was flushed since is loaded and run again, as the server said that it did not run. */
import { refused } from './failures.ts'
import type { Argument } from './link.ts'
import { SCRIPTS, type ScriptName } from './scripts.ts'
import type { Wire } from './wire.ts'

/** For names in small letters the driver changes some replies. */
export const capitals = (command: string): string => command.toUpperCase()

export async function evaluate(
  wire: Wire,
  script: ScriptName,
  keys: readonly string[],
  args: readonly Argument[],
): Promise<unknown> {
  const { sha, lua } = SCRIPTS[script]
  const words = [sha, keys.length, ...keys, ...args]
  try {
    return await wire.send('EVALSHA', words)
  } catch (error) {
    if (!refused(error).startsWith('NOSCRIPT')) throw error
  }
  await wire.send('SCRIPT', ['LOAD', lua])
  return await wire.send('EVALSHA', words)
}
