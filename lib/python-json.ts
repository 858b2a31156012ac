/**
 * JSON as Python's encoder writes it: NaN, Infinity and -Infinity stand bare, integers have any length. Used only when
 * JSON.parse refused a text, so an ordinary message pays nothing. (Integers past 2^53 parse without error and lose digits:
 * what arrives is the nearest number, as for every JSON reader in JavaScript.)
 */

const QUOTE = 0x22
const BACKSLASH = 0x5c
/** Reads as Infinity. The blanks keep it from growing together with a digit beside it. */
const INFINITY = '1e999 '
/** A number that nobody sends stands for NaN, which no literal gives. */
const NAN = -4.9406564584124654e-320

/** @throws {SyntaxError} when it is not JSON even so */
export function parsePythonJson(text: string): unknown {
  return JSON.parse(withoutWords(text), (_, value: unknown) => (value === NAN ? NaN : value))
}

/** One pass: what comes here may be hostile, and a pattern that looks for the ends of texts would go over it again and again. */
function withoutWords(text: string): string {
  let out = ''
  let from = 0
  let at = 0
  const replace = (word: string, by: string) => {
    out += text.slice(from, at) + by
    at += word.length
    from = at
  }
  while (at < text.length) {
    if (text.charCodeAt(at) === QUOTE) at = afterText(text, at)
    else if (text.startsWith('Infinity', at)) replace('Infinity', text[at - 1] === '-' ? INFINITY : ` ${INFINITY}`)
    else if (text.startsWith('NaN', at)) replace('NaN', ` ${NAN} `)
    else at++
  }
  return out + text.slice(from)
}

function afterText(text: string, start: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const char = text.charCodeAt(at)
    if (char === QUOTE) return at + 1
    if (char === BACKSLASH) at++
  }
  return text.length
}
