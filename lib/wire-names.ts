/** Options are camelCase in code and snake_case on the wire, as Dramatiq's. A name that would not come back the same stays as it is. */
const toSnake = new Map<string, string>(),
  toCamel = new Map<string, string>()
/** Names come from code, but also from the wire: a hostile sender must not grow the table. */
const MOST_NAMES = 1_000

export function snakeCase(name: string): string {
  const known = toSnake.get(name)
  if (known !== undefined) return known
  const snake = name.replace(/[A-Z]/g, char => `_${char.toLowerCase()}`)
  return remember(toSnake, name, camelCase(snake) === name ? snake : name)
}

export function camelCase(name: string): string {
  return (
    toCamel.get(name) ??
    remember(
      toCamel,
      name,
      /^[a-z0-9]+(_[a-z][a-z0-9]*)+$/.test(name) ? name.replace(/_([a-z])/g, (_, char: string) => char.toUpperCase()) : name,
    )
  )
}

function remember(table: Map<string, string>, name: string, other: string): string {
  if (table.size < MOST_NAMES) table.set(name, other)
  return other
}
