/** What a parent passes on of its children's output. */
import { PassThrough } from 'node:stream'
import { once } from 'node:events'
import t from 'tap'
import { eachLine, LONGEST_LINE } from '../../cli/lines.ts'

async function linesOf(...chunks: readonly (string | Buffer)[]): Promise<string[]> {
  const stream = new PassThrough(),
    lines: string[] = []
  eachLine(stream, line => lines.push(line))
  for (const chunk of chunks) stream.write(chunk)
  stream.end()
  await once(stream, 'close')
  return lines
}

t.test('lines are whole, however they arrive; the last one needs no end', async t => {
  t.strictSame(await linesOf('on', 'e\ntw', 'o\n\nth', 'ree'), ['one', 'two', '', 'three'])
  t.strictSame(await linesOf(), [])
  const umlaut = Buffer.from('für\n')
  t.strictSame(await linesOf(umlaut.subarray(0, 2), umlaut.subarray(2)), ['für'], 'a letter of two bytes that was cut')
})

t.test('a line that never ends is passed on in pieces, and nothing of it is lost', async t => {
  const long = 'x'.repeat(LONGEST_LINE * 2 + 5)
  for (const chunks of [[`${long}\nnext\n`], [...long.match(/.{1,5000}/g)!, '\nnext\n']]) {
    const lines = await linesOf(...chunks)
    t.ok(lines.every(line => line.length < 2 * LONGEST_LINE))
    t.equal(lines.slice(0, -1).join(''), long)
    t.equal(lines.at(-1), 'next')
  }
})

t.test('what was written before a stream is destroyed is told', async t => {
  const stream = new PassThrough(),
    lines: string[] = []
  eachLine(stream, line => lines.push(line))
  const read = once(stream, 'data')
  stream.write('half a line')
  await read
  stream.destroy()
  await once(stream, 'close')
  t.strictSame(lines, ['half a line'])
})
