/** The exit codes: few, stable, printed by every `--help`, listed in docs/cli.md. */

export const EXIT = { ok: 0, unexpected: 1, usage: 2, broker: 3, module: 4, children: 5, again: 6 } as const

export const EXIT_TABLE: readonly (readonly [code: number, meaning: string])[] = [
  [EXIT.ok, 'done; a worker: stopped, and nothing was lost'],
  [EXIT.unexpected, 'something unexpected, or a stop that was forced by a second signal'],
  [EXIT.usage, 'wrong arguments or settings, or what was asked for is not there'],
  [EXIT.broker, 'the broker could not be reached at the start'],
  [EXIT.module, 'a module could not be loaded, or has no actor to run'],
  [EXIT.children, 'worker --processes: its processes keep dying'],
  [EXIT.again, 'a worker without --processes: drained at a limit or SIGHUP, start it again'],
]
