/** A binary heap by time, first come first among equals. Nodes know their index, so that one can leave from the middle in O(log n). */
export interface Timed {
  /** Sorted by this, ms. */
  when: number
  /** Breaks ties: who came first. */
  order: number
  /** Where it is in the heap; -1 outside. */
  index: number
}

export interface Heap<T extends Timed> {
  readonly first: T | undefined
  readonly size: number
  add(node: T): void
  remove(node: T): void
}

export function heap<T extends Timed>(): Heap<T> {
  const nodes: T[] = []
  let made = 0
  const put = (node: T, index: number) => {
    nodes[index] = node
    node.index = index
  }

  function up(node: T, from: number): void {
    let index = from
    while (index > 0) {
      const parent = nodes[(index - 1) >> 1]!
      if (!before(node, parent)) break
      put(parent, index)
      index = (index - 1) >> 1
    }
    put(node, index)
  }

  function down(node: T, from: number): void {
    let index = from
    for (let child = 2 * index + 1; child < nodes.length; child = 2 * index + 1) {
      if (child + 1 < nodes.length && before(nodes[child + 1]!, nodes[child]!)) child++
      if (!before(nodes[child]!, node)) break
      put(nodes[child]!, index)
      index = child
    }
    put(node, index)
  }

  return {
    get first() {
      return nodes[0]
    },
    get size() {
      return nodes.length
    },
    add(node) {
      node.order = ++made
      nodes.push(node)
      up(node, nodes.length - 1)
    },
    remove(node) {
      const { index } = node,
        moved = nodes.pop()!
      node.index = -1
      if (moved === node) return
      down(moved, index)
      up(moved, moved.index)
    },
  }
}

/** Whether `a` comes first. Exported for listings, which sort as the heap does. */
export const before = (a: Timed, b: Timed) => a.when < b.when || (a.when === b.when && a.order < b.order)
