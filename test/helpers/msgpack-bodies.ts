/** msgpack bodies as others may write them, byte by byte; and those that cannot be read, each with the reason of its dead letter. */

/** Hexadecimal with blanks, as bytes. */
export const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')

/** A text of less than 256 bytes. */
export function packedText(text: string): Buffer {
  const bytes = Buffer.from(text)
  return Buffer.concat([Buffer.from([0xd9, bytes.length]), bytes])
}

const FIELDS = {
  queue: packedText('default'),
  actor: packedText('good'),
  args: hex('90'),
  kwargs: hex('80'),
  options: hex('80'),
  id: packedText('packed'),
  time: hex('00'),
}

/** A body of the seven fields, with the bytes of some of them replaced. */
export const packedBody = (fields: Partial<typeof FIELDS> = {}): Buffer =>
  Buffer.concat([hex('97'), ...Object.values({ ...FIELDS, ...fields })])

/** A body with one argument. */
export const packedArgument = (bytes: string | Buffer): Buffer =>
  packedBody({ args: Buffer.concat([hex('91'), typeof bytes === 'string' ? hex(bytes) : bytes]) })

const repeated = (bytes: string, times: number, end = '') =>
  Buffer.concat([Buffer.alloc(times * hex(bytes).length, hex(bytes)), hex(end)])
const proto = packedText('__proto__').toString('hex')

export const BAD_MSGPACK: readonly (readonly [what: string, body: Buffer, reason: RegExp])[] = [
  ['a record', packedArgument('d472 40 91 a161 05'), /undecodable: msgpack: an extension of type 114/],
  ['a record of two bytes', packedArgument('d572 4001 91 a161 05'), /an extension of type 114/],
  ['a pattern', packedArgument('d478 00 92 a7 28 61 2b 29 2b 24 24 a0'), /an extension of type 120/],
  ['an error', packedArgument('d465 00 93 a54572726f72 a178 c0'), /an extension of type 101/],
  ['a set', packedArgument('d473 00 91 01'), /an extension of type 115/],
  ['a typed array', packedArgument('c7 05 74 07 00000000'), /an extension of type 116/],
  ['a list that contains itself', packedArgument('d6 69 00000001 91 d6 70 00000001'), /an extension of type 105/],
  ['bundled texts', packedArgument('d6 62 00000002 a0 a0 c0'), /an extension of type 98/],
  ['a large bigint', packedArgument('c7 09 42 01 0000000000000000'), /an extension of type 66/],
  ['extensions of other lengths', packedArgument('c8 0001 05 00'), /an extension of type 5/],
  ['an extension of 4 GiB', packedArgument('c9 ffffffff 06'), /an extension of type 6/],
  ['a time of no known form', packedArgument('c7 03 ff 000000'), /an extension of type 255/],
  ['the byte that means nothing', packedArgument('c1'), /0xc1/],
  ['5,000 lists in one another', packedArgument(repeated('91', 5_000, 'c0')), /nested more than 64 deep/],
  ['5,000 objects in one another', packedArgument(repeated('81a161', 5_000, 'c0')), /nested more than 64 deep/],
  ['a million lists', packedArgument(Buffer.concat([hex('dd 000f4240'), repeated('90', 1_000_000)])), /more than 100000 arrays/],
  ['a list of 4 billion', packedArgument('dd ffffffff'), /cut short/],
  ['lists of 60,000 in one another', packedArgument(repeated('dc ea60', 60)), /cut short/],
  ['an object of 4 billion', packedArgument('df ffffffff'), /cut short/],
  ['a text of 4 GiB', packedArgument('db ffffffff'), /cut short/],
  ['bytes of 4 GiB', packedArgument('c6 ffffffff'), /cut short/],
  ['a length that is cut short', hex('97 db ff'), /cut short/],
  ['a number that is cut short', hex('97 a0 a0 91 cb 00'), /cut short/],
  ['nothing but the first byte', hex('97'), /cut short/],
  ['half a msgpack body', packedBody().subarray(0, -4), /cut short/],
  ['more than a msgpack body', Buffer.concat([packedBody(), hex('c0')]), /1 bytes behind its end/],
  ['two msgpack bodies', Buffer.concat([packedBody(), packedBody()]), /bytes behind its end/],
  ['a key that is a number', packedArgument('81 01 01'), /a key that is not a text/],
  ['a key that is a list', packedArgument('81 91 a161 01'), /a key that is not a text/],
  ['a byte order mark', packedArgument(`d9 46 efbbbf ${'61'.repeat(67)}`), /byte order mark/],
  ['no queue in msgpack', packedBody({ queue: hex('c0') }), /queue_name is not a short text/],
  ['a number as an actor', packedBody({ actor: hex('05') }), /actor_name/],
  ['a text as arguments', packedBody({ args: hex('a161') }), /args is not an array/],
  ['a date as arguments', packedBody({ args: hex('d6 ff 00000000') }), /args is not an array/],
  ['null as options', packedBody({ options: hex('c0') }), /options is not an object/],
  ['bytes as options', packedBody({ options: hex('c4 01 61') }), /options is not an object/],
  ['a date as options', packedBody({ options: hex('d6 ff 00000000') }), /options is not an object/],
  ['a list as kwargs', packedBody({ kwargs: hex('90') }), /kwargs is not an object/],
  ['bytes as kwargs', packedBody({ kwargs: hex('c4 01 61') }), /kwargs is not an object/],
  [
    'a msgpack id of a million characters',
    packedBody({ id: Buffer.concat([hex('db 000f4240'), repeated('78', 1_000_000)]) }),
    /message_id/,
  ],
  ['bytes as an id', packedBody({ id: hex('c4 01 61') }), /message_id/],
  ['a text as a time', packedBody({ time: hex('a131') }), /message_timestamp/],
  ['NaN as a time', packedBody({ time: hex('cb 7ff8000000000000') }), /message_timestamp/],
  ['a msgpack option called __proto__', packedBody({ options: hex(`81 ${proto} 81 a161 01`) }), /an option called __proto__/],
  [
    'a msgpack option called constructor',
    packedBody({ options: hex('81 ab 636f6e7374727563746f72 01') }),
    /an option called constructor/,
  ],
  [
    '5 MiB of msgpack',
    packedArgument(Buffer.concat([hex('c6 00500000'), Buffer.alloc(0x500000)])),
    /bytes are more than 4194304/,
  ],
]
