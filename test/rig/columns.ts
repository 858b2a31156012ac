/** Numbers by message id, in typed arrays that grow: what the checker knows of millions of messages in some 40 bytes each. */

interface Numbers {
  readonly length: number
  [index: number]: number
  set(from: ArrayLike<number>): void
}

export interface Column {
  get(id: number): number
  set(id: number, value: number): void
}

export function column<T extends Numbers>(make: new (length: number) => T, size = 1_024): Column {
  let values = new make(size)
  return {
    get: id => values[id] ?? 0,
    set(id, value) {
      if (id >= values.length) {
        const grown = new make(Math.max(id + 1, Math.ceil(values.length * 1.5)))
        grown.set(values)
        values = grown
      }
      values[id] = value
    },
  }
}
