/** Does something to each of some queues, and says what. One that was never used is probably a typing error: then nothing is done. */
import type { Io, Values } from './command.ts'
import { existingQueues } from './dead-letters.ts'
import { EXIT } from './exit.ts'
import { type Opened, type TARGET_FLAGS, withInspector } from './target.ts'
import { safe } from './text.ts'

/** @throws {CliError} for a queue that is not there, before anything is done */
export const eachQueue = (
  values: Values<typeof TARGET_FLAGS>,
  io: Io,
  names: readonly string[],
  act: (opened: Opened, queue: string) => Promise<string>,
): Promise<number> =>
  withInspector(values, io, async opened => {
    for (const name of names) await existingQueues(opened, name)
    for (const name of new Set(names)) io.print(safe(await act(opened, name)))
    return EXIT.ok
  })
