import { isMp3 } from './mp3.ts'
import { describeText } from './text.ts'

/** What the first bytes of a file tell. */
export interface Sniffed {
  /** Who decodes it; `none`: it is no audio file. */
  decoder: 'native' | 'ffmpeg' | 'none'
  /** Completes "it is …". */
  found: string
  /** Its index may lie at its end, so that it cannot be decoded from a pipe. */
  needsSeeking: boolean
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
  { magic: [[0, '\x89PNG']], decoder: 'none', found: 'a PNG image' },
  { magic: [[0, '\xff\xd8\xff']], decoder: 'none', found: 'a JPEG image' },
  { magic: [[0, '\x7fELF']], decoder: 'none', found: 'a program' },
  { magic: [[0, 'GGUF', 'lmgg']], decoder: 'none', found: 'a model file' },
]

const mp3: Sniffed = { decoder: 'native', found: 'an MP3 file', needsSeeking: false }

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
  const known = signatures.find(({ magic }) => magic.every((part) => matches(start, part)))
  if (known !== undefined) {
    const { decoder, found } = known
    const plain = !tagged && (found !== 'a WAV file' || isPlainWav(head))
    const needsSeeking = known.magic.some(([offset]) => offset === 4)
    return { decoder: decoder === 'native' && !plain ? 'ffmpeg' : decoder, found, needsSeeking }
  }
  if (text === undefined && isMp3(head)) return mp3
  if (text !== undefined) return { decoder: 'none', found: text, needsSeeking: false }
  // Behind some tags comes padding, which the MP3 decoder skips.
  return tagged ? mp3 : { decoder: 'ffmpeg', found: 'data in an unknown format', needsSeeking: false }
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
