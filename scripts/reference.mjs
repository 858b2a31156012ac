/**
 * `npm run reference`: makes the API reference, HTML in `reference/`, from the comments in the sources. Arguments after `--` are
 * typedoc's. An export without a comment, a type that is named and not exported, a link that leads nowhere: a failure.
 *
 * typedoc needs a compiler with an API, which the one of the tree has no more: both are in `scripts/reference/`, with a lockfile
 * of their own, and are installed when they are first needed.
 */
import { spawnSync } from 'node:child_process'
import { install } from './ready.mjs'
import { root } from './tree.mjs'

const FOLDER = 'scripts/reference'

install() // typedoc's compiler reads the types of Node and of the schemas
install(FOLDER)
const typedoc = [`${FOLDER}/node_modules/typedoc/bin/typedoc`, '--options', `${FOLDER}/typedoc.json`]
const { status } = spawnSync(process.execPath, [...typedoc, ...process.argv.slice(2)], { cwd: root, stdio: 'inherit' })
process.exitCode = status ?? 1
