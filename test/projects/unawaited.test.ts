/** What becomes of a send that nobody awaits, as docs/guide.md says it: in JavaScript no compiler tells. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { commandLine, project, run } from '../helpers/installed.ts'

t.test('a send that nobody awaits is stored when the process ends by itself, and lost by a process.exit()', async t => {
  const folder = await project({
    'send.mjs': `import { actor } from 'greenroom'
void actor(async () => {}, { name: 'hello' }).send()
if (process.argv[2] === 'exit') process.exit()`,
  })
  const node = (queue: string, ...args: string[]) => run(folder, process.execPath, args, { GREENROOM_BROKER: `file:${queue}` })
  await node('ends', 'send.mjs')
  t.match((await node('ends', commandLine(), 'list', '--json')).stdout, '"hello"')
  await node('exits', 'send.mjs', 'exit')
  t.notOk(existsSync(join(folder, 'exits')), 'not even its folder was made')
})
