/** URLs without credentials: the one function that every error, log line and page uses. */

/** Everything from the scheme to the last @ is taken for credentials, also in what is not a valid URL: `redis://:p/a@ss@host`. */
export function redactUrl(url: string): string {
  const [, scheme, credentials, rest] = /^([a-z][a-z0-9+.-]*:\/\/)(.*@)?(.*)$/is.exec(url) ?? []
  const shown = credentials === undefined || scheme === 'file://' ? url : `${scheme}***@${rest}`
  return shown.replace(/([?&](?:password|pass|token|secret|key)=)[^&#]*/gi, '$1***')
}
