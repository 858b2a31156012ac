/**
 * The keys of the store. They are spread over 256 hash tags, `{namespace:s:00}` to `{namespace:s:ff}`: a Cluster has them all over its nodes,
 * all keys of one entry stand in one slot, and a batch is few calls also there. Behind the tag stands what it is:
 *
 *   v   string: a value
 *   g   zset: the members of a set          gv  hash: their values, and its closer
 *   l   hash: a limit; with it go p, w, q, e, u, h (scripts/shared/limit.lua)
 *   t   list: a topic, and the channel that wakes its readers (scripts/shared/topic.lua)
 *   tok string: what a call answered, for one whose answer was lost (scripts/shared/token.lua)
 *
 * and then its name as it was given: no name has a part in the tag, so it may hold anything.
 */
import { createHash } from 'node:crypto'

/** Longer names are cut, and closed by their digest. */
const LONGEST_NAME = 200
const TAGS = 256

export type Word = 'v' | 'g' | 'l' | 't'

export interface StoreKeys {
  /** All keys of a name have this one, whatever they are. */
  tagOf(name: string): string
  keyOf(word: Word, name: string): string
  token(tag: string, token: string): string
}

export function storeKeys(namespace: string): StoreKeys {
  const tags = Array.from({ length: TAGS }, (_, n) => `{${namespace}:s:${n.toString(16).padStart(2, '0')}}:`)
  const tagOf = (name: string) => tags[spread(name) % TAGS]!
  return {
    tagOf,
    keyOf: (word, name) => `${tagOf(name)}${word}:${name.length > LONGEST_NAME ? shortened(name) : name}`,
    token: (tag, token) => `${tag}tok:${token}`,
  }
}

const shortened = (name: string) => `${name.slice(0, LONGEST_NAME)}#${createHash('sha256').update(name).digest('hex')}`

/** FNV-1a: cheap, and names that differ in their last letter fall apart. */
function spread(name: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
  return (hash ^ (hash >>> 16)) >>> 0
}
