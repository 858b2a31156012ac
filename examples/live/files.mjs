/** Where the files of a job are, for both sides. With you: a table, and a bucket. */
import { join } from 'node:path'

const { LIVE_FOLDER: folder = '.' } = process.env

/** An id comes out of a URL, or of a message that anybody may have sent, and becomes a file name: nothing else gets that far. */
export const isId = id => /^[\w-]{1,64}$/.test(id)

export function fileOf(id, ending) {
  if (!isId(id)) throw new TypeError(`${JSON.stringify(id)} is no id of a job`)
  return join(folder, `${id}.${ending}`)
}
