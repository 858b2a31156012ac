/** Ids and randomness: the only file that asks for either, so that a test or a simulator can give its own. */
import { createHash, randomUUID } from 'node:crypto'

/** A source of numbers in [0, 1). */
export type Random = () => number
export const systemRandom: Random = () => Math.random()

/** A new id: a version 4 UUID, as Dramatiq's. */
export const systemId = (): string => randomUUID()

/** 132 bits of base64: shorter than a UUID and as unlikely to collide. */
const DERIVED_LENGTH = 22

/** The id of a follow-up of a message, by its number or its role: a rerun of the parent makes the same ids, so a broker can tell the copies. */
export const derivedId = (parent: string, n: number | string): string =>
  createHash('sha256').update(`${parent}:${n}`).digest('base64url').slice(0, DERIVED_LENGTH)
