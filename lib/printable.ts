/** Text that may hold anything, as harmless lines: nothing of it may move a cursor, hide, or forge a second line. */

/** Control characters, line separators and bidi controls: a name or an error message must not forge a second line. */
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g
/** Longer lines are cut: an error message is data of unknown size. */
const LONGEST_LINE = 8_192

/** Of any length. Inside JSON the escapes still mean what they stood for. */
export const printable = (text: string): string =>
  text.replace(UNSAFE, char => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)

/** One safe line of any text, cut where it is long. */
export const oneLine = (text: string): string => printable(text.length > LONGEST_LINE ? `${text.slice(0, LONGEST_LINE)}…` : text)
