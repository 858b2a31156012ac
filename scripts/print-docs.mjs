/**
 * Prints the parts of docs/defaults.md, docs/brokers.md and docs/zoo.md that come from code, between `<!-- printed: name -->` and
 * `<!-- end -->`; what is around them is written by hand. `--check` changes nothing and ends with 1 when a page is out of date.
 *
 *   node scripts/print-docs.mjs [--check]
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { memoryBroker, memoryStore } from '../dist/esm/brokers/memory/index.js'
import { embeddedBroker } from '../dist/esm/brokers/embedded/index.js'
import { redisBroker } from '../dist/esm/brokers/redis/index.js'
import { brokerRules, runBrokerRules, runStoreRules, storeRules } from '../dist/esm/conformance.js'
import { logging, standard } from '../dist/esm/index.js'
import { buildTests } from './build.mjs'
import { root } from './tree.mjs'

await buildTests()
const { DEFAULTS, FOUND } = await import('../.build/lib/defaults.js')
const { durationMs, shortDuration } = await import('../.build/lib/duration.js')
const { zooTable } = await import('../.build/test/zoo/page.js')

/** What an option is for, and why it has its default, as they stand in no other place. A new option needs a line here. */
const OPTIONS = {
  onSuccess: ['an actor that is sent `(result, message)` once the message is done', 'nothing follows that nobody asked for'],
  onFailure: ['an actor that is sent `(failure, message)` once it is given up', 'the same'],
  maxRetries: [
    'how often to try again; 0 is never',
    'with the back-offs about three weeks: an outage is mended, and somebody is back from holiday',
    'retries',
  ],
  minBackoff: ['the shortest wait before the next attempt', 'what is overloaded or restarts needs seconds, not milliseconds'],
  maxBackoff: ['the longest', 'what failed for days is no more urgent than that'],
  throws: ['error classes that are not tried again', 'only you know which failures are final'],
  retryWhen: ['`({ attempt, error }) => boolean`, may say no before `maxRetries` is reached', 'the same'],
  onExhausted: [
    'an actor that is sent `(message, failure)` when `retries` gives a message up',
    'nothing follows that nobody asked for',
  ],
  maxAge: ['a message that is older when its turn comes is dead without running', 'late work is still wanted, unless you say'],
  notifyShutdown: [
    'whether the signal is aborted as soon as the worker begins to stop',
    'most handlers end within the grace by themselves',
  ],
  timeLimit: [
    'when the signal of a run is aborted',
    'long enough for most, short enough that a handler that hangs does not hold its slot for a day',
  ],
}
const CAPABILITIES = {
  lease: 'how it learns that a worker died',
  once: '`onceMs` works: an id is remembered after its message is gone',
  uniqueIds: 'an id that is there in its queue is a duplicate',
  atomicThen: 'where what follows is stored in the same write as the end of the run',
  delayMs: 'how late a delayed message may become ready, ms; never early',
  peek: 'waiting messages can be listed, and found by id',
  removal: 'a waiting message can be removed, promoted or rescheduled',
  durable: 'messages survive the end of all processes',
}
const NEEDS = {
  shared: 'two programs see the same messages',
  durable: 'messages outlive their processes',
  restart: 'it can be stopped and started',
  uniqueIds: 'a live id is unique in its queue',
  inspector: 'it can be looked into',
}

/** As test/brokers/*-target.ts run the suites. No rule's body runs here: what applies to a target is all that is asked. */
const idle = { advance: async () => {}, crash: async () => {} }
const TARGETS = {
  'memory:': { ...idle, shared: false, open: async () => memoryBroker() },
  'file:': {
    ...idle,
    shared: true,
    restart: async () => {},
    open: async () => embeddedBroker({ path: join(tmpdir(), 'never-made') }),
  },
  'redis:': { ...idle, shared: true, restart: async () => {}, open: async () => redisBroker({ url: 'redis://never-asked' }) },
}
const STORES = {
  'memory:': { ...idle, shared: false, open: async () => memoryStore() },
  'file:': { ...idle, shared: true, open: async () => embeddedBroker({ path: join(tmpdir(), 'never-made') }).store },
}

const number = value => String(value).replace(/\B(?=(\d{3})+$)/g, ',')
const shown = (value, unit) => (unit === 'ms' ? exact(value) : `${number(value)} ${unit}`)
/** `30s`, or milliseconds where that would be rounded. */
const exact = ms => (durationMs(shortDuration(ms), '') === ms ? shortDuration(ms) : `${number(ms)} ms`)
const row = cells => `| ${cells.join(' | ')} |`
const table = (head, rows) => [row(head), row(head.map(() => '---')), ...rows.map(row)].join('\n')
const word = value => (value === true ? 'yes' : value === false ? 'no' : String(value))

function defaults() {
  return table(
    ['where', 'default', 'why'],
    [
      ...Object.values(DEFAULTS).map(({ value, unit, of, why }) => [`\`${of}\``, shown(value, unit), why]),
      ...Object.values(FOUND).map(({ text, of, why }) => [`\`${of}\``, text, why]),
    ],
  )
}

/** Durations are declared by options that take `'1ms'`. */
function isDuration(option) {
  try {
    return option.parse('1ms', 'test') === 1
  } catch {
    return false
  }
}

function options() {
  return table(
    ['option', 'middleware', 'default', 'per message', 'what it does', 'why this default'],
    [...standard(), logging({ log: console })].flatMap(({ name, options = {} }) =>
      Object.entries(options).map(([key, option]) => {
        if (!(key in OPTIONS)) throw new Error(`scripts/print-docs.mjs has no line for the option ${key}`)
        const { default: value, perMessage } = option
        const none = value === undefined || value === Infinity || (Array.isArray(value) && value.length === 0)
        const [what, why, unit] = OPTIONS[key]
        const text = none ? 'none' : isDuration(option) ? exact(value) : [`${value}`, unit].filter(Boolean).join(' ')
        return [`\`${key}\``, `\`${name}()\``, text, word(perMessage), what, why]
      }),
    ),
  )
}

async function capabilities() {
  const brokers = await Promise.all(Object.values(TARGETS).map(({ open }) => open()))
  const names = new Set(brokers.flatMap(({ capabilities }) => Object.keys(capabilities)))
  return table(
    ['', ...Object.keys(TARGETS), 'what it means'],
    [...names].map(name => {
      if (!(name in CAPABILITIES)) throw new Error(`scripts/print-docs.mjs has no line for the capability ${name}`)
      return [`\`${name}\``, ...brokers.map(({ capabilities }) => word(capabilities[name])), CAPABILITIES[name]]
    }),
  )
}

async function rules(rules, run, targets) {
  const excluded = await Promise.all(
    Object.values(targets).map(async target => {
      const out = new Set()
      const bodies = rules.map(([rule, , needs]) => [rule, async () => {}, needs])
      await run(bodies, target, (rule, verdict) => {
        if (verdict.kind === 'failed') throw verdict.error
        if (verdict.kind === 'excluded') out.add(rule)
      })
      return out
    }),
  )
  const notes = new Set()
  const rows = rules.map(([rule, , needs = []]) => {
    if (excluded.some(out => out.has(rule))) for (const need of needs) if (need in NEEDS) notes.add(need)
    return [rule, ...excluded.map(out => (out.has(rule) ? '-' : 'yes'))]
  })
  const legend = `A dash: the rule does not apply, as it needs that ${[...notes].map(need => NEEDS[need]).join(', or that ')}.`
  return `${rules.length} rules. ${legend}\n\n${table(['rule', ...Object.keys(targets)], rows)}`
}

const PARTS = {
  'docs/defaults.md': { defaults, options },
  'docs/brokers.md': {
    capabilities,
    'rules of brokers': () => rules(brokerRules, runBrokerRules, TARGETS),
    'rules of stores': () => rules(storeRules, runStoreRules, STORES),
  },
  'docs/zoo.md': { zoo: zooTable },
}

const isCheck = process.argv.includes('--check')
for (const [page, parts] of Object.entries(PARTS)) {
  const before = readFileSync(join(root, page), 'utf8')
  let after = before
  for (const [name, print] of Object.entries(parts)) {
    const [start, end] = [`<!-- printed: ${name} -->\n`, '<!-- end -->']
    const from = after.indexOf(start)
    if (from < 0) throw new Error(`${page} has no place for what is printed: ${start}`)
    const to = after.indexOf(end, from)
    after = `${after.slice(0, from + start.length)}${await print()}\n${after.slice(to)}`
  }
  if (after === before) continue
  if (isCheck) {
    console.log(`${page} is out of date: node scripts/print-docs.mjs`)
    process.exitCode = 1
  } else writeFileSync(join(root, page), after)
}
