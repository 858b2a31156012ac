/**
 * JSON as Python's encoder writes it: NaN, Infinity and -Infinity stand bare, integers have any length. Used only when
 * JSON.parse refused a text, so an ordinary message pays nothing. (Integers past 2^53 parse without error and lose digits:
 * what arrives is the nearest number, as for every JSON reader in JavaScript.)
 */

/** The three words outside strings; a string is matched first and left alone. Linear: no alternative overlaps another. */
const TOKENS = /"(?:[^"\\]|\\.)*"|-?Infinity\b|\bNaN\b/g
const MARK = '\u0000greenroom:'

/** @throws {SyntaxError} when it is not JSON even so */
export function parsePythonJson(text: string): unknown {
  const marked = text.replace(TOKENS, token => (token.startsWith('"') ? token : JSON.stringify(MARK + token)))
  return JSON.parse(marked, (_, value: unknown) =>
    typeof value === 'string' && value.startsWith(MARK) ? Number(value.slice(MARK.length)) : value,
  )
}
