/** The logger that users may hand in: pino's interface, facts first and sentence second, or the sentence alone. And the default, for a console. */
import { GreenroomError, listed } from './errors.ts'
import { isJsonLog, jsonLine } from './json-line.ts'
import { oneLine } from './printable.ts'

/** pino's interface, facts first and sentence second, or the sentence alone. `console` has it too. A logger that throws changes nothing. */
export interface Logger {
  /** Each message that is sent or begins to run: with `logging()` only. */
  debug(facts: object | string, text?: string): void
  /** What went well. */
  info(facts: object | string, text?: string): void
  /** What is tried again, or goes on by itself. */
  warn(facts: object | string, text?: string): void
  /** What somebody should look at: a dead letter, a hook that threw. */
  error(facts: object | string, text?: string): void
}

const LEVELS = ['debug', 'info', 'warn', 'error'] as const

/** @throws {GreenroomError} `OPTION_INVALID` for what is no logger */
export function checkLogger(log: unknown): Logger {
  const missing = LEVELS.filter(level => typeof (log as Partial<Logger> | null | undefined)?.[level] !== 'function')
  if (missing.length === 0) return log as Logger
  throw new GreenroomError('OPTION_INVALID', `log has no ${listed(missing)}`, {
    help: 'Give pino(), console, or anything with these methods',
  })
}

/**
 * Warnings and errors as one line each on standard error; debug and info are dropped. What an app logs with until it is given a logger.
 * With `GREENROOM_LOG=json` in the environment a line is a JSON object.
 */
export const consoleLogger: Logger = {
  debug() {},
  info() {},
  warn: (facts, text) => console.warn(line('warn', facts, text)),
  error: (facts, text) => console.error(line('error', facts, text)),
}

const WORDS = { warn: 'warning', error: 'error' } as const
function line(of: keyof typeof WORDS, facts: object | string, text = ''): string {
  if (isJsonLog()) return typeof facts === 'string' ? jsonLine(of, facts) : jsonLine(of, text, facts)
  const level = WORDS[of]
  if (typeof facts === 'string') return oneLine(`greenroom ${level}: ${facts}`)
  const shown = Object.entries(facts).map(([key, value]) => `${key}=${picture(value)}`)
  return oneLine(`greenroom ${level}: ${[text, ...shown].filter(Boolean).join(' ')}`)
}

/** Facts may hold what was thrown: anything. */
function picture(value: unknown): string {
  try {
    return value instanceof Error ? value.message : typeof value === 'string' ? value : (JSON.stringify(value) ?? typeof value)
  } catch {
    return 'something that cannot be shown'
  }
}

/** A logger that never throws: what a line is about must happen all the same. Its own trouble is told on the console. */
export function guarded(log: Logger): Logger {
  const at = (level: keyof Logger) => (facts: object | string, text?: string) => {
    try {
      log[level](facts as object, text)
    } catch (error) {
      consoleLogger.error({ err: error }, `the logger threw; it was given: ${typeof facts === 'string' ? facts : (text ?? '')}`)
    }
  }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

/** A logger that adds the same facts to every line. */
export function bound(log: Logger, facts: object): Logger {
  const at = (level: keyof Logger) => (more: object | string, text?: string) =>
    typeof more === 'string' ? log[level]({ ...facts }, more) : log[level]({ ...facts, ...more }, text)
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
