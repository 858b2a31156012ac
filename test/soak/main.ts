/** What `npm run soak` starts, once the tests are compiled. */
import { scenarios } from './all.ts'
import { soak } from './runner.ts'

process.exitCode = await soak(process.argv.slice(2), scenarios, line => console.log(line))
