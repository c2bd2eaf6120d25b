/** Bytes of a page before its table of segments: RFC 3533. */
const headerBytes = 27
/** The longest page: a full table of full segments. */
const mostBytes = headerBytes + 255 + 255 * 255

const crcTable = Uint32Array.from({ length: 256 }, (_, i) => {
  let value = i << 24
  for (let bit = 0; bit < 8; bit++) value = (value << 1) ^ (value < 0 ? 0x04c11db7 : 0)
  return value >>> 0
})

/** The pages of an Ogg file that are sound. Other programs give up at the first that is not. */
export async function* soundPages(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let held = Buffer.alloc(0)
  for await (const chunk of bytes) {
    held = Buffer.concat([held, chunk])
    const { pages, rest } = takePages(held, false)
    yield* pages
    held = rest
  }
  yield* takePages(held, true).pages
}

function takePages(held: Buffer, atEnd: boolean): { pages: Buffer[]; rest: Buffer<ArrayBuffer> } {
  const pages: Buffer[] = []
  let at = 0
  while (atEnd || held.length - at >= mostBytes) {
    const found = held.indexOf('OggS', at, 'latin1')
    if (found < 0) {
      at = atEnd ? held.length : Math.max(at, held.length - 3)
      break
    }
    at = found
    if (!atEnd && held.length - at < mostBytes) break
    const length = pageLength(held, at)
    const page = held.subarray(at, at + length)
    const sound = length > 0 && isSound(page)
    if (sound) pages.push(page)
    at += sound ? length : 1
  }
  return { pages, rest: Buffer.from(held.subarray(at)) }
}

/** 0 where it goes beyond the end. */
function pageLength(held: Buffer, at: number): number {
  const segments = held[at + headerBytes - 1]
  if (segments === undefined) return 0
  const table = held.subarray(at + headerBytes, at + headerBytes + segments)
  const length = headerBytes + segments + table.reduce((sum, size) => sum + size, 0)
  return at + length <= held.length ? length : 0
}

/** The checksum counts itself as 0. */
function isSound(page: Buffer): boolean {
  let crc = 0
  for (let i = 0; i < page.length; i++) {
    const byte = i >= 22 && i < 26 ? 0 : (page[i] as number)
    crc = ((crc << 8) ^ (crcTable[(crc >>> 24) ^ byte] as number)) >>> 0
  }
  return crc === page.readUInt32LE(22)
}
