/** Work worth watching: a second or so of arithmetic, in bands. The same name gives the same picture, byte by byte. */
import { createHash } from 'node:crypto'
import { crc32, deflateSync } from 'node:zlib'

export const BANDS = 16
const SIZE = 320 // pixels, either way
const SAMPLES = 4 // in each pixel, either way: smooth edges
const MOST_STEPS = 250 // of a point that does not escape
const REACH = 1.45 // from the middle of the picture to its edge

/** The Julia set of a point that the name chooses, in its colours. */
export function paint(name) {
  const seed = createHash('sha256').update(name).digest()
  const angle = (seed.readUInt16BE(0) / 65_536) * 2 * Math.PI
  // Just outside of the heart of the Mandelbrot set: there they are most intricate.
  const re = 1.04 * (Math.cos(angle) / 2 - Math.cos(2 * angle) / 4)
  const im = 1.04 * (Math.sin(angle) / 2 - Math.sin(2 * angle) / 4)
  const shift = [0, 1, 2].map(i => (seed[2] / 256 + (0.08 + (seed[3] / 256) * 0.12) * i) * 2 * Math.PI)
  const rows = Buffer.alloc(SIZE * (1 + SIZE * 3)) // each begins with the byte 0: no filter

  function escape(x, y) {
    let steps = 0
    let square = x * x + y * y
    while (square < 64 && steps < MOST_STEPS) {
      ;[x, y] = [x * x - y * y + re, 2 * x * y + im]
      square = x * x + y * y
      steps++
    }
    return square < 64 ? undefined : steps + 1 - Math.log2(Math.log2(square) / 2)
  }

  function colour(column, row) {
    const sum = [0, 0, 0]
    for (let i = 0; i < SAMPLES * SAMPLES; i++) {
      const x = (((column + (i % SAMPLES) / SAMPLES) / SIZE) * 2 - 1) * REACH
      const y = (((row + Math.floor(i / SAMPLES) / SAMPLES) / SIZE) * 2 - 1) * REACH
      const steps = escape(x, y)
      if (steps !== undefined)
        shift.forEach((at, c) => (sum[c] += 0.5 - 0.5 * Math.cos(Math.sqrt(Math.max(0, steps)) * 0.9 + at)))
    }
    return sum.map(value => Math.round((value / SAMPLES ** 2) * 255))
  }

  return {
    band(n) {
      const height = SIZE / BANDS
      for (let row = n * height; row < (n + 1) * height; row++)
        for (let column = 0; column < SIZE; column++) rows.set(colour(column, row), row * (1 + SIZE * 3) + 1 + column * 3)
    },
    png() {
      const header = Buffer.alloc(13)
      header.writeUInt32BE(SIZE, 0)
      header.writeUInt32BE(SIZE, 4)
      header.set([8, 2], 8) // 8 bits each of red, green, blue
      const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')
      return Buffer.concat([signature, chunk('IHDR', header), chunk('IDAT', deflateSync(rows)), chunk('IEND', Buffer.alloc(0))])
    },
  }
}

/** A part of a PNG file: length, type, data, checksum of type and data. */
function chunk(type, data) {
  const body = Buffer.concat([Buffer.from(type), data])
  const ends = Buffer.alloc(8)
  ends.writeUInt32BE(data.length, 0)
  ends.writeUInt32BE(crc32(body), 4)
  return Buffer.concat([ends.subarray(0, 4), body, ends.subarray(4)])
}
