/** The known word nearest to a wrong one, for error messages. */

/** Further away is another word, not a typing error; in a short word that is more than half of its letters. */
const FARTHEST = 3

export function nearest(word: string, known: Iterable<string>): string | undefined {
  let best: string | undefined,
    least = FARTHEST + 1
  for (const candidate of known) {
    const steps = distance(word.toLowerCase(), candidate.toLowerCase())
    const half = Math.max(word.length, candidate.length) / 2
    if (steps < least && steps <= half && steps < candidate.length) [best, least] = [candidate, steps]
  }
  return best
}

/** Levenshtein's distance, one row at a time. Words are short: they are cut at 64. */
function distance(a: string, b: string): number {
  const from = a.slice(0, 64),
    to = b.slice(0, 64)
  let row = Array.from({ length: to.length + 1 }, (_, i) => i)
  for (let i = 1; i <= from.length; i++) {
    const next = [i]
    for (let j = 1; j <= to.length; j++)
      next[j] = Math.min(next[j - 1]! + 1, row[j]! + 1, row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1))
    row = next
  }
  return row[to.length]!
}
