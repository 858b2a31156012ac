/** `npm start [-- arguments]`: makes the tree ready, then runs the example. */
import { ready } from './ready.mjs'
import { root } from './tree.mjs'

if (!(await ready())) process.exit(1)
process.argv.splice(1, 1, `${root}examples/count-files.mjs`)
await import('../examples/count-files.mjs')
