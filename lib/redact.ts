/** URLs without credentials: the one function that every error, log line and page uses. */

/** Everything from the scheme to the last @ is taken for credentials, also in what is not a valid URL: `redis://:p/a@ss@host`, `redis:u:p@host`. */
export function redactUrl(url: string): string {
  if (/^file:/i.test(url)) return url // a path may hold an @
  const at = url.lastIndexOf('@'),
    scheme = SCHEME.exec(url)?.[0] ?? ''
  const shown = at < 0 ? url : `${scheme}***${url.slice(at)}`
  return shown.replace(/([?&])([^=&#]*)=[^&#]*/g, (all, mark: string, name: string) =>
    SECRET.test(name) ? `${mark}${name}=***` : all,
  )
}

/** A text with the credentials of every URL in it left out. Looked for from the beginning of a word alone: a long one would take for ever. */
export const redactText = (text: string): string => text.replace(/(?<![a-z0-9+.-])[a-z0-9+.-]+:\/\/[^\s'"<>]+/gi, redactUrl)

/** Without the slashes only one that we know: in `u:p@host` the user is no scheme. */
const SCHEME = /^(?:[a-z][a-z0-9+.-]*:\/\/|(?:rediss?|amqps?):\/?)/i
const SECRET = /pass|pwd|token|secret|key|auth/i
