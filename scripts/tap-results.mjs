/** Reads what one test file printed (TAP): how many of its tests passed and failed, which did not run, and why those that failed did. */
import { Parser } from 'tap-parser'

const NO_TESTS = 'no tests found' // what the parser makes of no output at all

/**
 * @param tap  all that the file printed on standard output
 * @param name what to call the file
 * @param end  how its process went wrong, when it did
 */
export function inspectTap(tap, name, end) {
  const result = { passed: 0, failed: 0, unrun: [], report: '' }
  const file = newBlock()

  const parser = follow(new Parser(), file, [name])
  parser.on('complete', ({ ok, plan }) => {
    const isSkipped = plan.skipAll && plan.skipReason !== '' && plan.skipReason !== NO_TESTS
    if (end !== undefined) close(file, false, [name], end)
    else if (file.blocks + file.own > 0) close(file, ok, [name], 'printed results that do not add up')
    else if (isSkipped) result.unrun.push(`${name}: ${plan.skipReason}`)
    else close(file, false, [name], 'ran no test')
  })
  parser.end(tap)
  return result

  /** Collects into `block` what happens in one level of the output. */
  function follow(parser, block, path) {
    let child
    parser.on('child', inner => {
      child = newBlock()
      follow(inner, child, [...path, inner.name])
    })
    parser.on('assert', point => {
      const where = [...path, point.name]
      if (point.skip || point.todo) {
        block.blocks++
        const reason = [point.skip, point.todo].find(reason => typeof reason === 'string') ?? 'no reason given'
        result.unrun.push(`${where.join(' > ')}: ${reason}`)
      } else if (child) {
        block.blocks++
        close(child, point.ok, where, point.diag)
        block.hasFailingBlock ||= !point.ok
      } else {
        block.own++
        if (!point.ok) block.failing.push([where, point.diag])
      }
      child = undefined
    })
    return parser
  }

  /** Counts a block that ended: once for what it holds itself; the blocks in it have been counted. */
  function close(block, ok, path, why) {
    for (const [where, diag] of block.failing) print(where, diag)
    const isExplained = block.failing.length > 0 || block.hasFailingBlock
    if (!ok && !isExplained) print(path, why)
    if (block.failing.length > 0 || (!ok && !isExplained)) result.failed++
    else if (ok && block.blocks === 0) result.passed++
  }

  function print(path, why) {
    result.report += `\n  ${path.join(' > ')}\n${typeof why === 'string' ? `    ${why}\n` : describe(why ?? {})}`
  }
}

/** One level of the output: how many tests and own assertions it holds, which of the latter failed, and whether one of the former did. */
const newBlock = () => ({ blocks: 0, own: 0, failing: [], hasFailingBlock: false })

/** A failure's details, without the excerpt of the source: the stack tells the place. */
function describe({ source: _source, at: _at, ...details }) {
  return Object.entries(details)
    .map(([key, value]) => `    ${key}: ${indent(typeof value === 'string' ? value : JSON.stringify(value, undefined, 2))}\n`)
    .join('')
}

function indent(text) {
  return text.includes('\n') ? `\n${text.trimEnd().replace(/^/gm, '      ')}` : text
}
