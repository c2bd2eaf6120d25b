/** Bytes of the ID3v2 tag at the start of a file, 0 for none. */
export function id3Length(head: Uint8Array): number {
  const [i, d, three, , , flags = 0, a = 0, b = 0, c = 0, e = 0] = head
  if (head.length < 10 || i !== 0x49 || d !== 0x44 || three !== 0x33) return 0
  const size = ((a & 0x7f) << 21) | ((b & 0x7f) << 14) | ((c & 0x7f) << 7) | (e & 0x7f)
  return 10 + size + (flags & 0x10 ? 10 : 0)
}

/** Bit rates in kbit/s of MPEG-1 layers I, II, III and of MPEG-2 layers I and II/III, by index. */
const bitRates: readonly (readonly number[])[] = [
  [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
  [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
  [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
  [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
]

/** Two frame headers at the right distance (one is enough at the end of the bytes): ISO 11172-3 and 13818-3. */
export function isMp3(head: Uint8Array): boolean {
  const length = frameLength(head, 0)
  return length !== undefined && (length + 4 > head.length || frameLength(head, length) !== undefined)
}

/** Several frames of one kind in a row: no samples look like that. */
export function isMp3Chain(head: Uint8Array): boolean {
  return chainLength(head, frameLength) >= 4
}

/** The same of ADTS, the frames of AAC without a container: ISO 13818-7. */
export function isAdtsChain(head: Uint8Array): boolean {
  return chainLength(head, adtsLength) >= 3
}

/** How many frames follow each other from the first byte on. */
function chainLength(
  head: Uint8Array,
  lengthAt: (head: Uint8Array, at: number) => number | undefined,
): number {
  let count = 0
  for (let at = 0; ; count++) {
    const length = lengthAt(head, at)
    if (length === undefined) return count
    at += length
  }
}

/** Bytes of the ADTS frame at a place; `undefined` where there is none. */
function adtsLength(bytes: Uint8Array, at: number): number | undefined {
  const [sync, flags = 0, format = 0, three = 0, four = 0, five = 0] = bytes.subarray(at, at + 7)
  if (at + 7 > bytes.length || sync !== 0xff || (flags & 0xf6) !== 0xf0) return undefined
  if (((format >> 2) & 15) > 12) return undefined
  const length = ((three & 3) << 11) | (four << 3) | (five >> 5)
  return length > 7 ? length : undefined
}

function frameLength(bytes: Uint8Array, at: number): number | undefined {
  const [sync, flags = 0, rates = 0] = bytes.subarray(at, at + 4)
  const version = (flags >> 3) & 3
  const layer = 4 - ((flags >> 1) & 3)
  const rateIndex = rates >> 4
  const sampleRate = [44_100, 48_000, 32_000][(rates >> 2) & 3]
  if (at + 4 > bytes.length || sync !== 0xff || (flags & 0xe0) !== 0xe0) return undefined
  if (version === 1 || layer === 4 || rateIndex === 0 || rateIndex === 15 || sampleRate === undefined)
    return undefined
  const first = version === 3
  const table = first ? layer - 1 : layer === 1 ? 3 : 4
  const bitRate = (bitRates[table]?.[rateIndex] ?? 0) * 1000
  const rate = sampleRate / (first ? 1 : version === 2 ? 2 : 4)
  const padding = (rates >> 1) & 1
  if (layer === 1) return (Math.floor((12 * bitRate) / rate) + padding) * 4
  return Math.floor(((first || layer === 2 ? 144 : 72) * bitRate) / rate) + padding
}
