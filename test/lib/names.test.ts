import * as fc from 'fast-check'
import t from 'tap'
import { shown } from '../../lib/duration.ts'
import { derivedId, systemId } from '../../lib/ids.ts'
import { checkId, checkName, isId } from '../../lib/names.ts'
import { camelCase, snakeCase } from '../../lib/wire-names.ts'

t.test('a name is what is safe in a key, a path, a log line and a routing key', async t => {
  for (const name of ['a', 'Resize', 'mail.send-now_2', '0', '..', 'constructor', 'x'.repeat(128)])
    t.equal(checkName(name, 'actor'), name)
  for (const name of [
    '',
    'x'.repeat(129),
    'a b',
    'a:b',
    'a/b',
    'a{b}',
    'a\n',
    'ä',
    'a\0',
    '<script>',
    5,
    null,
    undefined,
    ['a'],
    {},
  ])
    t.throws(() => checkName(name, 'queue'), { code: 'NAME_INVALID', message: /cannot name a queue/ }, shown(name))
})

t.test('an id is printable and has no space', async t => {
  for (const id of ['1', systemId(), 'order:42/x?y=1', '{a}', 'x'.repeat(200)]) t.equal(checkId(id), id)
  for (const id of ['', 'x'.repeat(201), 'a b', 'a\n', 'ä', '\x7f', 5, null, undefined, {}])
    t.throws(() => checkId(id), { code: 'ID_INVALID' }, shown(id))
})

t.test('a derived id is the same for the same parent and number, and different otherwise', async t => {
  const ids = ['p', 'q'].flatMap(parent => [0, 1, 'onSuccess', 'onFailure'].map(role => derivedId(parent, role)))
  t.equal(new Set(ids).size, ids.length)
  t.equal(derivedId('p', 0), ids[0])
  for (const id of ids) t.ok(isId(id) && /^[\w-]{22}$/.test(id), id)
})

t.test('option names are snake_case on the wire', async t => {
  for (const [name, wire] of [
    ['maxRetries', 'max_retries'],
    ['delay', 'delay'],
    ['a1B2', 'a1_b2'],
    ['onSuccessUrl', 'on_success_url'],
  ] as const) {
    t.equal(snakeCase(name), wire)
    t.equal(camelCase(wire), name)
  }
})

t.test('a name that would come back as another stays as it is', async t => {
  for (const name of ['HTTPUrl', 'x$Y', 'A', '$', 'mail Now', '__proto__', '_private', 'trailing_'])
    t.equal(snakeCase(name), name)
  for (const wire of ['__proto__', '_private', 'trailing_', 'max__retries', 'Max_Retries', 'max-retries'])
    t.equal(camelCase(wire), wire)
})

t.test('every option name comes back from the wire as it was', async () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'grapheme', maxLength: 20 }).filter(name => !/^[a-z0-9]+(_[a-z][a-z0-9]*)+$/.test(name)),
      name => camelCase(snakeCase(name)) === name,
    ),
    { numRuns: 2_000 },
  )
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z][A-Za-z0-9]{0,20}$/), name => camelCase(snakeCase(name)) === name),
    { numRuns: 2_000 },
  )
})

t.test('ten thousand hostile names take no memory and change no name', async t => {
  for (let i = 0; i < 10_000; i++) camelCase(`hostile_${'x'.repeat(i % 50)}_n${i}`)
  t.equal(camelCase('fresh_name'), 'freshName')
  t.equal(snakeCase('freshName'), 'fresh_name')
})
