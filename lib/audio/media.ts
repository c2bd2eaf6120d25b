import { invalidArgument } from '../check.ts'
import type { Warning } from '../warnings.ts'
import type { AudioChoice } from './choice.ts'

/** An audio track of a container. */
export interface AudioTrack {
  /** Among all tracks of the container. */
  index: number
  /** As the container has it, e.g. `eng`; empty when it does not say. */
  language: string
  isDefault: boolean
}

/** What ffmpeg says of a file before it decodes it. */
export interface Media {
  tracks: readonly AudioTrack[]
  /** Whether there are other tracks than those of audio. */
  hasOthers: boolean
  /** The time stamp of its start in seconds; `undefined` for formats without time stamps. */
  zero: number | undefined
  /** Seconds at which it should end; `undefined` when it does not say, or the length is a guess. */
  end: number | undefined
}

/** Formats that are frames and nothing else: their times are counted, or guessed. */
const timeless = /^(mp3|aac|ac3|eac3|dts)$/
/** Containers that are cut out of a stream: their first time stamp means nothing. */
const streamed = /^(mpegts|mpeg|rtsp|hls|sdp)$/

/**
 * Reads what `ffmpeg -i FILE` prints.
 * @returns `undefined` when it did not open the file
 */
export function parseMedia(text: string): Media | undefined {
  const lines = text.split('\n')
  const format = /^Input #0, ([^ ]+), from /.exec(
    lines.find((line) => line.startsWith('Input #0, ')) ?? '',
  )?.[1]
  if (format === undefined) return undefined
  const tracks: AudioTrack[] = []
  let hasOthers = false
  for (const line of lines) {
    const stream = /^ {2,4}Stream #0:(\d+)(?:\[0x[\da-f]+\])?(?:\((\w*)\))?: (\w+): (.*)$/.exec(line)
    if (stream === null) continue
    const [, index, language = '', kind, rest = ''] = stream
    if (kind !== 'Audio') hasOthers ||= !/\(attached pic\)/.test(rest)
    else
      tracks.push({
        index: Number(index),
        language: language === 'und' ? '' : language,
        isDefault: /\(default\)/.test(rest),
      })
  }
  const names = format.split(',')
  const is = (formats: RegExp) => names.some((name) => formats.test(name))
  const [, hours, minutes, seconds, start = '0'] =
    /^ {2}Duration: (?:(\d+):(\d\d):(\d\d\.\d+)|N\/A)(?:, start: (-?[\d.]+))?/m.exec(text) ?? []
  const guessed = hours === undefined || is(timeless) || /Estimating duration from bitrate/.test(text)
  return {
    tracks,
    hasOthers,
    zero: is(timeless) ? undefined : is(streamed) ? Number(start) : 0,
    end: guessed ? undefined : Number(hours) * 3600 + Number(minutes) * 60 + Number(seconds),
  }
}

/**
 * The track that is taken.
 * @throws `ERR_INVALID_ARGUMENT` for a track that is not there, naming those that are
 */
export function chooseTrack(
  tracks: readonly AudioTrack[],
  track: AudioChoice['track'],
): AudioTrack | undefined {
  if (track === undefined) return tracks.find(({ isDefault }) => isDefault) ?? tracks[0]
  if (typeof track === 'number') {
    const found = tracks[track]
    if (found !== undefined) return found
    const last = tracks.length - 1
    throw invalidArgument(
      last === 0 ? '0 (there is one audio track)' : `an integer from 0 to ${last}`,
      'track',
      track,
    )
  }
  const wanted = languageOf(track)
  const found = tracks.find(({ language }) => languageOf(language) === wanted)
  if (found !== undefined) return found
  throw invalidArgument(`one of the tracks ${listed(tracks)}`, 'track', track)
}

/** What is to be told when one of several tracks was taken unasked. */
export function trackWarnings(tracks: readonly AudioTrack[], taken: AudioTrack | undefined): Warning[] {
  if (tracks.length < 2 || taken === undefined) return []
  return [
    {
      code: 'AUDIO_TRACKS',
      message: `The recording has ${tracks.length} audio tracks, ${listed(tracks)}: track ${tracks.indexOf(taken)} was taken; the option track takes another`,
    },
  ]
}

function listed(tracks: readonly AudioTrack[]): string {
  return tracks.map(({ language }, i) => (language === '' ? String(i) : `${i} (${language})`)).join(', ')
}

/** Containers use codes of three letters, people those of two: both have one name. */
function languageOf(code: string): string {
  const canonical = bibliographic[code.toLowerCase()] ?? code.toLowerCase()
  try {
    return new Intl.Locale(canonical).language
  } catch {
    return canonical
  }
}

/** ISO 639-2/B, as Matroska and others write them, where it is not ISO 639-2/T. */
const bibliographic: Readonly<Record<string, string>> = {
  ger: 'deu',
  fre: 'fra',
  dut: 'nld',
  chi: 'zho',
  cze: 'ces',
  gre: 'ell',
  per: 'fas',
  rum: 'ron',
  slo: 'slk',
  alb: 'sqi',
  arm: 'hye',
  baq: 'eus',
  bur: 'mya',
  geo: 'kat',
  ice: 'isl',
  mac: 'mkd',
  mao: 'mri',
  may: 'msa',
  tib: 'bod',
  wel: 'cym',
}
