/** A hash of what every object inherits: of the prototypes of Object, Array and Function, and of all that can be reached from them by own properties. */
import { createHash } from 'node:crypto'

/** Which object it is: one that was put in the place of another has another number. */
const numbers = new WeakMap<object, number>()
let last = 0

function numberOf(value: object): number {
  let found = numbers.get(value)
  if (found === undefined) numbers.set(value, (found = ++last))
  return found
}

const isObject = (value: unknown): value is object => (typeof value === 'object' && value !== null) || typeof value === 'function'

/** Names, values and descriptors, whether more may be added, and the prototype of each. The same twice: nothing has changed. */
export function prototypesHash(): string {
  const hash = createHash('sha256'),
    seen = new Set<object>(),
    queue: object[] = [Object.prototype, Array.prototype, Function.prototype]
  const written = (value: unknown): string => {
    if (!isObject(value)) return `${typeof value} ${String(value)}`
    queue.push(value)
    return `#${numberOf(value)}`
  }
  for (let object = queue.pop(); object !== undefined; object = queue.pop()) {
    if (seen.has(object)) continue
    seen.add(object)
    hash.update(`${numberOf(object)} ${Object.isExtensible(object)} ${written(Object.getPrototypeOf(object))}\n`)
    for (const key of Reflect.ownKeys(object)) {
      const { value, get, set, writable, enumerable, configurable } = Reflect.getOwnPropertyDescriptor(object, key)!
      hash.update(`${String(key)} ${[value, get, set].map(written).join(' ')} ${writable} ${enumerable} ${configurable}\n`)
    }
  }
  return hash.digest('hex')
}
