/** Errors of the command line: what a person did or can do, with an exit code. And any error as one line. */
import { type Code, GreenroomError } from '../lib/errors.ts'
import { type Failure, failureOf } from '../lib/failure.ts'
import { redactText } from '../lib/redact.ts'
import { EXIT } from './exit.ts'
import { safe } from './text.ts'

/** An error whose sentence is all there is to say. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly exit: number
  constructor(exit: number, what: string, { help, cause }: { help: string; cause?: unknown }) {
    super(`${what}. ${help}`, cause === undefined ? {} : { cause })
    this.exit = exit
  }
}

export const usage = (what: string, help: string): CliError => new CliError(EXIT.usage, what, { help })

/** What the library refuses because of what it was told; everything else is unexpected. */
const EXITS: Partial<Record<Code, number>> = {
  BROKER_DENIED: EXIT.broker,
  BROKER_DOWN: EXIT.broker,
  BROKER_FULL: EXIT.broker,
  DISK_FULL: EXIT.broker,
  ENGINE_MISSING: EXIT.broker,
  FOLDER_INVALID: EXIT.broker,
  ACTOR_ANONYMOUS: EXIT.module,
  ACTOR_DUPLICATE: EXIT.module,
  ACTOR_INVALID: EXIT.module,
  ACTOR_UNKNOWN: EXIT.usage,
  BODY_TOO_LARGE: EXIT.usage,
  BROKER_INVALID: EXIT.usage,
  BROKER_NOT_SET: EXIT.usage,
  BROKER_UNKNOWN: EXIT.usage,
  BROKER_UNSUPPORTED: EXIT.usage,
  DURATION_INVALID: EXIT.usage,
  ID_INVALID: EXIT.usage,
  NAME_INVALID: EXIT.usage,
  NOT_DATA: EXIT.usage,
  OPTION_INVALID: EXIT.usage,
  OPTION_UNKNOWN: EXIT.usage,
  SCHEMA_MISMATCH: EXIT.usage,
  STORE_MISSING: EXIT.usage,
  WORKER_INVALID: EXIT.usage,
}

export function exitOf(error: unknown): number {
  if (error instanceof CliError) return error.exit
  return (error instanceof GreenroomError ? EXITS[error.code] : undefined) ?? EXIT.unexpected
}

/** Whatever was thrown, as one line without credentials. */
export function lineOf(error: unknown): string {
  const { type, message } = failureOf(error)
  const known = error instanceof CliError || error instanceof GreenroomError
  return safe(redactText(known ? message : `${type}: ${message}`))
}

/** Its stack and those of its causes, for `--verbose`. */
export const stackOf = (error: unknown): string[] => stacks(failureOf(error))

function stacks({ stack, type, message, cause }: Failure): string[] {
  const lines = (stack ?? `${type}: ${message}`).split('\n').map(line => safe(redactText(line)))
  return cause === undefined ? lines : [...lines, 'caused by', ...stacks(cause)]
}
