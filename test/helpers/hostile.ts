/** Things that handlers and middleware may throw, return or be given, none of which may break a worker. */
const refuse = (): never => {
  throw new Error('touched')
}
const traps: ProxyHandler<() => void> = Object.fromEntries(
  ['get', 'has', 'getPrototypeOf', 'ownKeys', 'getOwnPropertyDescriptor', 'set', 'apply', 'defineProperty', 'isExtensible'].map(
    trap => [trap, refuse],
  ),
)
const cycle: Error & { cause?: unknown } = new Error('goes round')
cycle.cause = { cause: cycle }
const getters = (error: object) => {
  for (const key of ['stack', 'message', 'name', 'code', 'cause']) Object.defineProperty(error, key, { get: refuse })
  return error
}

export const hostileThrows: readonly (readonly [what: string, value: unknown])[] = [
  ['undefined', undefined],
  ['null', null],
  ['a text', 'just a text'],
  ['a number', 5],
  ['a bigint', 5n],
  ['a symbol', Symbol('x')],
  ['a function', () => 5],
  ['a class', class Thrown extends Error {}],
  ['a frozen error', Object.freeze(new Error('frozen'))],
  ['a frozen object', Object.freeze({ message: 'frozen' })],
  ['an object without a prototype', Object.create(null)],
  ['an error that causes itself', cycle],
  ['an error whose getters throw', getters(new Error('hidden'))],
  ['an object whose getters throw', getters({})],
  ['a proxy that throws on every trap', new Proxy(Object(Object), traps) as unknown],
  ['a proxied object that throws on every trap', new Proxy({}, traps as ProxyHandler<object>)],
  ['a revoked proxy', revoked()],
  ['a very long message', new Error('x'.repeat(1_000_000))],
  ['lone surrogates and control characters', new Error('\ud800\u0000\n\u2028')],
  ['toString that throws', { toString: refuse, message: 5 }],
  ['an AggregateError', new AggregateError([new Error('a')], 'several')],
]

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}
