/** Which frames of a stack are no user's: Node's, and those of the copies of this library. */

const FILES = /^(?:lib|middleware|brokers|cli|index|testing)\b/

/** @param roots where the copies lie: `shared.roots` */
export const isOwnFile = (file: string, roots: readonly string[]): boolean =>
  file.startsWith('node:') || roots.some(root => file.startsWith(root) && FILES.test(file.slice(root.length)))
