import { isMp3Chain } from './mp3.ts'

/**
 * Tells data of a file whose beginning is missing, as where a stream was joined late or only a later chunk was passed on: nobody can decode it.
 * Several signs have to agree: samples look like that by a chance of less than one in a million millions.
 *
 * @returns completes "it is …", or `undefined`
 */
export function describePiece(head: Uint8Array): string | undefined {
  if (isOggPage(head) && !((head[5] as number) & 2)) return 'a piece of an Ogg file without its beginning'
  if (isCluster(head) || isBlockChain(head)) return 'a piece of a WebM or Matroska file without its beginning'
  if (isFragment(head)) return 'a piece of an MP4 file without its beginning'
  return isFlacFrame(head) ? 'a piece of a FLAC file without its beginning' : undefined
}

const text = (head: Uint8Array, from: number, to: number) =>
  Buffer.from(head.buffer, head.byteOffset, head.byteLength).toString('latin1', from, to)

/** Signature, version, flags. */
function isOggPage(head: Uint8Array): boolean {
  return head.length >= 27 && text(head, 0, 4) === 'OggS' && head[4] === 0 && (head[5] as number) < 8
}

/** A cluster begins with its time stamp, after a checksum or a position at most. */
function isCluster(head: Uint8Array): boolean {
  if (text(head, 0, 4) !== '\x1fC\xb6u') return false
  const size = sizeLength(head[4])
  return size !== undefined && [0xe7, 0xbf, 0xa7, 0xab].includes(head[4 + size] ?? 0)
}

/** Three blocks of one track, one after the other: what a browser's recorder gives in later chunks. */
function isBlockChain(head: Uint8Array): boolean {
  let at = 0
  const first = head.subarray(0, 16)
  for (let blocks = 0; blocks < 3; blocks++) {
    const length = sizeLength(head[at + 1])
    if (head[at] !== 0xa3 || length === undefined) return false
    const body = at + 1 + length
    // The number of the track, and the flags, of which the middle ones are reserved.
    if (head[body] !== first[1 + (sizeLength(first[1]) ?? 0)] || ((head[body + 3] ?? 0xff) & 0x70) !== 0)
      return false
    let size = (head[at + 1] as number) & (0xff >> length)
    for (let i = 1; i < length; i++) size = size * 256 + (head[at + 1 + i] as number)
    if (size < 4) return false
    at = body + size
    if (at >= head.length) return blocks > 0 && length > 1
  }
  return true
}

/** Bytes of a size in EBML, of at most 4. */
function sizeLength(first: number | undefined): number | undefined {
  if (first === undefined || first < 0x10) return undefined
  return Math.clz32(first) - 23
}

/** A fragment is announced, or begins with its header. */
function isFragment(head: Uint8Array): boolean {
  const name = text(head, 4, 8)
  if (name === 'moof') return text(head, 12, 16) === 'mfhd'
  return name === 'styp' || name === 'sidx' ? head[0] === 0 && head[1] === 0 : false
}

/** The header of a frame, with its checksum, and no stream of another kind that has the same first bits. */
function isFlacFrame(head: Uint8Array): boolean {
  if (head[0] !== 0xff || ((head[1] ?? 0) & 0xfe) !== 0xf8 || isMp3Chain(head)) return false
  const length = flacHeaderLength(head)
  return length !== undefined && head.length > length && crc8(head.subarray(0, length)) === head[length]
}

/** Bytes before the checksum; `undefined` for what is reserved. */
function flacHeaderLength(head: Uint8Array): number | undefined {
  const [, , sizes = 0, format = 0, coded = 0xff] = head
  const size = sizes >> 4
  const rate = sizes & 15
  if (size === 0 || rate === 15 || format >> 4 > 10 || (format & 1) === 1 || ((format >> 1) & 7) === 3)
    return undefined
  const more = coded < 0x80 ? 0 : Math.clz32(~coded << 24) - 1
  if (coded >= 0x80 && (more < 1 || more > 6)) return undefined
  for (let i = 0; i < more; i++) if (((head[5 + i] ?? 0) & 0xc0) !== 0x80) return undefined
  return 5 + more + (size === 6 ? 1 : size === 7 ? 2 : 0) + (rate === 12 ? 1 : rate > 12 ? 2 : 0)
}

function crc8(bytes: Uint8Array): number {
  let crc = 0
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = ((crc << 1) ^ (crc & 0x80 ? 7 : 0)) & 0xff
  }
  return crc
}
