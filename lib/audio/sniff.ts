import { id3Length, isAdtsChain, isMp3, isMp3Chain } from './mp3.ts'
import { describePiece } from './pieces.ts'
import { describeText } from './text.ts'

/** What the first bytes of a file tell. */
export interface Sniffed {
  /** Who decodes it; `none`: it is no audio file. */
  decoder: 'native' | 'ffmpeg' | 'none'
  /** Completes "it is …". */
  found: string
}

/** How many bytes {@link sniff} wants to see, where there are so many. */
export const headLength = 4096

/** Strings of Latin-1 characters at an offset, any of which may be there. */
type Magic = readonly [offset: number, ...alternatives: string[]]

/** The first signature of which all parts match counts. */
const signatures: readonly { magic: readonly Magic[]; decoder: Sniffed['decoder']; found: string }[] = [
  {
    magic: [
      [0, 'RIFF', 'RF64'],
      [8, 'WAVE'],
    ],
    decoder: 'native',
    found: 'a WAV file',
  },
  {
    magic: [
      [0, 'BW64'],
      [8, 'WAVE'],
    ],
    decoder: 'ffmpeg',
    found: 'a BW64 file',
  },
  { magic: [[0, 'fLaC']], decoder: 'native', found: 'a FLAC file' },
  {
    magic: [
      [0, 'OggS'],
      [28, '\x01vorbis'],
    ],
    decoder: 'native',
    found: 'an Ogg Vorbis file',
  },
  {
    magic: [
      [0, 'OggS'],
      [28, 'OpusHead'],
    ],
    decoder: 'ffmpeg',
    found: 'an Ogg Opus file',
  },
  { magic: [[0, 'OggS']], decoder: 'ffmpeg', found: 'an Ogg file, but not of Vorbis' },
  { magic: [[4, 'ftypM4A', 'ftypM4B']], decoder: 'ffmpeg', found: 'an M4A file' },
  { magic: [[4, 'ftyp3g']], decoder: 'ffmpeg', found: 'a 3GPP file' },
  { magic: [[4, 'ftyp']], decoder: 'ffmpeg', found: 'an MP4 or MOV file' },
  { magic: [[4, 'moov', 'mdat', 'free', 'skip', 'wide', 'pnot']], decoder: 'ffmpeg', found: 'a MOV file' },
  { magic: [[0, '\x1aE\xdf\xa3']], decoder: 'ffmpeg', found: 'a Matroska or WebM file' },
  {
    magic: [
      [0, 'FORM'],
      [8, 'AIFF', 'AIFC'],
    ],
    decoder: 'ffmpeg',
    found: 'an AIFF file',
  },
  {
    magic: [
      [0, 'RIFF'],
      [8, 'AVI '],
    ],
    decoder: 'ffmpeg',
    found: 'an AVI file',
  },
  { magic: [[0, '0&\xb2u\x8ef\xcf\x11']], decoder: 'ffmpeg', found: 'a WMA or WMV file' },
  { magic: [[0, '\xff\xf0', '\xff\xf1', '\xff\xf8', '\xff\xf9']], decoder: 'ffmpeg', found: 'an AAC file' },
  { magic: [[0, 'caff']], decoder: 'ffmpeg', found: 'a Core Audio file' },
  { magic: [[0, '#!AMR']], decoder: 'ffmpeg', found: 'an AMR file' },
  { magic: [[0, '.snd']], decoder: 'ffmpeg', found: 'an AU file' },
  { magic: [[0, 'NIST_1A\n']], decoder: 'ffmpeg', found: 'a NIST SPHERE file' },
  { magic: [[0, 'Creative Voice File\x1a']], decoder: 'ffmpeg', found: 'a VOC file' },
  { magic: [[0, 'wvpk']], decoder: 'ffmpeg', found: 'a WavPack file' },
  { magic: [[0, 'MAC ']], decoder: 'ffmpeg', found: "a Monkey's Audio file" },
  { magic: [[0, 'FLV\x01']], decoder: 'ffmpeg', found: 'a Flash video' },
  { magic: [[0, '%PDF-']], decoder: 'none', found: 'a PDF document' },
  { magic: [[0, 'PK\x03\x04']], decoder: 'none', found: 'a ZIP archive' },
  { magic: [[0, '\x1f\x8b']], decoder: 'none', found: 'a gzip archive' },
  { magic: [[0, 'GIF87a', 'GIF89a']], decoder: 'none', found: 'a GIF image' },
  { magic: [[0, '\x89PNG']], decoder: 'none', found: 'a PNG image' },
  { magic: [[0, '\xff\xd8\xff']], decoder: 'none', found: 'a JPEG image' },
  { magic: [[0, '\x7fELF']], decoder: 'none', found: 'a program' },
  { magic: [[0, 'GGUF', 'lmgg']], decoder: 'none', found: 'a model file' },
]

const mp3: Sniffed = { decoder: 'native', found: 'an MP3 file' }

/**
 * Tells an audio format by its first bytes, never by its name.
 *
 * Text never reaches ffmpeg: play lists and scripts are text, and would make it open other files.
 *
 * @param head the first {@link headLength} bytes, or all there are; where there is an ID3 tag, those behind it
 * @param tagged whether an ID3 tag came before
 */
export function sniff(head: Uint8Array, tagged = false): Sniffed {
  const start = Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, 64)).toString('latin1')
  const text = describeText(head)
  const piece = describePiece(head)
  if (piece !== undefined) return { decoder: 'none', found: piece }
  const known = find(start)
  if (known !== undefined) {
    const { decoder, found } = known
    const plain = !tagged && (found !== 'a WAV file' || isPlainWav(head))
    return { decoder: decoder === 'native' && !plain ? 'ffmpeg' : decoder, found }
  }
  if (text === undefined && isMp3(head)) return mp3
  if (text !== undefined) return { decoder: 'none', found: text }
  // Behind some tags comes padding, which the MP3 decoder skips.
  return tagged ? mp3 : { decoder: 'ffmpeg', found: 'data in an unknown format' }
}

/**
 * Tells a file by its first bytes where raw samples are expected, which may be anything: only what samples never look like counts.
 * @returns completes "it is …", or `undefined`
 */
export function sniffInSamples(head: Uint8Array): string | undefined {
  const piece = describePiece(head)
  if (piece !== undefined) return piece
  // The codec comes later.
  if (head.length < 40 && head[0] === 0x4f) return undefined
  const start = Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, 64)).toString('latin1')
  if (isAdtsChain(head)) return 'an AAC file'
  if (isMp3Chain(head) || (id3Length(head) > 0 && sizesOfId3(head))) return 'an MP3 file'
  if (isTransportStream(head)) return 'an MPEG transport stream'
  const known = find(start)
  // Four bytes at least, of which samples have any with the same chance.
  const exact =
    known?.magic.reduce((sum, [, ...texts]) => sum + Math.min(...texts.map(({ length }) => length)), 0) ?? 0
  if (known !== undefined && exact >= 4) return known.found
  const text = head.length >= 256 ? describeText(head) : undefined
  return text !== undefined && isPlainText(head) ? text : undefined
}

function find(start: string) {
  return signatures.find(({ magic }) => magic.every((part) => matches(start, part)))
}

/** Version, flags and a size of seven bits a byte. */
function sizesOfId3(head: Uint8Array): boolean {
  const [, , , version = 0, revision = 1, , ...size] = head.subarray(0, 10)
  return version >= 2 && version <= 4 && revision === 0 && size.every((byte) => byte < 0x80)
}

function isTransportStream(head: Uint8Array): boolean {
  // Each packet has a sync byte and something in it; a constant signal has the same bytes everywhere.
  return (
    head.length > 5 * 188 &&
    [0, 1, 2, 3, 4].every((n) => head[n * 188] === 0x47 && ((head[n * 188 + 3] as number) & 0x30) !== 0) &&
    new Set(head.subarray(0, 5 * 188)).size > 32
  )
}

function isPlainText(head: Uint8Array): boolean {
  const printable = head.every(
    (byte) => (byte >= 0x20 && byte < 0x7f) || (byte >= 9 && byte <= 13) || byte >= 0x80,
  )
  const ascii = head.filter((byte) => byte < 0x80).length
  return printable && ascii > head.length / 2 && new Set(head).size >= 8
}

function matches(start: string, [offset, ...alternatives]: Magic): boolean {
  return alternatives.some((text) => start.startsWith(text, offset))
}

/** Whether a WAV file holds plain samples: PCM, float, A-law or mu-law, and not a codec such as MP3 or ADPCM. */
function isPlainWav(head: Uint8Array): boolean {
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength)
  for (let at = 12; at + 8 <= head.length; ) {
    const size = view.getUint32(at + 4, true)
    if (view.getUint32(at, false) === 0x666d7420 /* 'fmt ' */) {
      if (at + 10 > head.length) break
      const tag = view.getUint16(at + 8, true)
      const extended = tag === 0xfffe && size >= 26 && at + 34 <= head.length
      return [1, 3, 6, 7].includes(extended ? view.getUint16(at + 32, true) : tag)
    }
    at += 8 + size + (size & 1)
  }
  // The decoder finds the format further on, or says what is missing.
  return true
}
