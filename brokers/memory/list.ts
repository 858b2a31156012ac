/**
 * A linked list whose nodes carry the links: every end is O(1), and so is taking a node out of the middle.
 * `order` rises from first to last and is never given twice in one list, so that a page of a listing can end at a number
 * and the next page go on behind it, whatever came and went in between.
 */
export interface Linked<T> {
  prev: T | undefined
  next: T | undefined
  order: number
}

export interface List<T extends Linked<T>> {
  readonly first: T | undefined
  readonly size: number
  addFirst(node: T): void
  addLast(node: T): void
  remove(node: T): void
}

export function list<T extends Linked<T>>(): List<T> {
  let first: T | undefined, last: T | undefined
  let size = 0,
    lowest = 0,
    highest = 0
  return {
    get first() {
      return first
    },
    get size() {
      return size
    },
    addFirst(node) {
      node.order = --lowest
      node.prev = undefined
      node.next = first
      if (first) first.prev = node
      else last = node
      first = node
      size++
    },
    addLast(node) {
      node.order = ++highest
      node.next = undefined
      node.prev = last
      if (last) last.next = node
      else first = node
      last = node
      size++
    },
    remove(node) {
      if (node.prev) node.prev.next = node.next
      else first = node.next
      if (node.next) node.next.prev = node.prev
      else last = node.prev
      node.prev = node.next = undefined
      size--
    },
  }
}
