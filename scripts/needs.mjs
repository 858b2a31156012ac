/**
 * What tests need of the system, there before the time of a test runs: installing takes longer than a test may. A test asks for it by
 * the name of a function below, itself or in what it imports.
 */
import { dirname, join } from 'node:path'
import { needChromium } from './need-chromium.mjs'
import { needFaketime, needOpenssl, needRabbitmq, needRedis } from './need-servers.mjs'
import { readOr, root } from './tree.mjs'

const NEEDS = { needChromium, needFaketime, needOpenssl, needRabbitmq, needRedis }

/** Gets what these compiled test files ask for. One that cannot be had is no failure here: the test that asks again says so. */
export function provide(files) {
  const texts = new Map()
  files.forEach(file => read(file, texts))
  for (const [name, need] of Object.entries(NEEDS)) if ([...texts.values()].some(text => text.includes(name))) need()
}

/** The text of a file, and of all of ours that it imports. */
function read(file, texts) {
  if (texts.has(file)) return
  const text = readOr(join(root, file), '')
  texts.set(file, text)
  for (const [, path] of text.matchAll(/^(?:import|export) [^'"]*['"](\.[^'"]+)['"]/gm)) read(join(dirname(file), path), texts)
}
