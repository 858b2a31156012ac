/** Standard Schema: the one argument of an actor, checked before it is stored and checked and transformed before it runs. */
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { GreenroomError } from './errors.ts'

/** Whether a value is a Standard Schema. ArkType's are functions, so the marker is looked for first. */
export function isSchema(value: unknown): value is StandardSchemaV1 {
  return (typeof value === 'object' || typeof value === 'function') && value !== null && '~standard' in value
}

/**
 * What the schema makes of a value. Asynchronous only where the schema is.
 * @throws {GreenroomError} `SCHEMA_MISMATCH` with the issues and their paths
 */
export function validate(schema: StandardSchemaV1, value: unknown, actor: string): unknown {
  const result = schema['~standard'].validate(value)
  return result instanceof Promise ? result.then(result => accepted(result, actor)) : accepted(result, actor)
}

function accepted(result: StandardSchemaV1.Result<unknown>, actor: string): unknown {
  if (!result.issues) return result.value
  const issues = result.issues.map(({ message, path }) => ({
    message,
    path: (path ?? []).map(step => String(typeof step === 'object' ? step.key : step)).join('.'),
  }))
  const shown = issues
    .slice(0, 3)
    .map(({ message, path }) => (path === '' ? message : `${path}: ${message}`))
    .join('; ')
  throw new GreenroomError('SCHEMA_MISMATCH', `The argument of ${actor} does not fit its schema: ${shown}`, {
    help: issues.length > 3 ? `${issues.length - 3} more issues are in error.details.issues` : 'Send what the schema takes',
    details: { issues },
  })
}

/** Whether it is the value that does not fit, and not the schema that failed. */
export const isMismatch = (error: unknown): boolean => error instanceof GreenroomError && error.code === 'SCHEMA_MISMATCH'
