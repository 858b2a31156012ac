/** Loaded before Next.js: writes the pid of each process that starts a thread of the `file:` broker, and once for each. */
const { appendFileSync } = require('node:fs')
const { syncBuiltinESMExports } = require('node:module')
const threads = require('node:worker_threads')

threads.Worker = class extends threads.Worker {
  constructor(file, options) {
    super(file, options)
    if (`${file}`.endsWith('/embedded/engine.js')) appendFileSync(process.env.ENGINES, `${process.pid}\n`)
  }
}
syncBuiltinESMExports()
