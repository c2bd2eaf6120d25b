import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describeSystemError, undecodable } from '../../audio/failures.ts'
import { look } from '../../audio/ffmpeg.ts'
import { ffmpegMissing, ffmpegProgram } from '../../audio/ffmpeg-program.ts'
import { type AudioTrack, chooseTrack, trackWarnings } from '../../audio/media.ts'
import { nearest } from '../../nearest.ts'
import type { Warning } from '../../warnings.ts'
import { UsageError } from '../failures.ts'
import type { ListenChoice } from './flags.ts'
import { startProgram, withoutPasswords } from './program-source.ts'
import type { Source } from './source.ts'

/** Something that ffmpeg reads. */
export interface Media {
  /** As ffmpeg gets it: with a protocol in front, so that it is never read as an option or another protocol. */
  url: string
  /** What may be opened on the way, whatever a play list says. */
  protocols: readonly string[]
  /** For messages. */
  name: string
  /** A file of this machine; null for an address. */
  path: string | null
  /** It comes at the speed of time by its nature. */
  live: boolean
}

interface Scheme {
  protocols: readonly string[]
  live: boolean
}

const web: Scheme = { protocols: ['http', 'https', 'httpproxy', 'hls', 'tcp', 'tls', 'crypto'], live: false }
const rtsp: Scheme = { protocols: ['rtp', 'udp', 'tcp', 'tls'], live: true }
const rtmp: Scheme = { protocols: ['rtmp', 'rtmps', 'tcp', 'tls'], live: true }
const packets: Scheme = { protocols: ['rtp', 'udp'], live: true }
const connection: Scheme = { protocols: ['tcp', 'tls'], live: true }

/** No address of the network leads to a file of this machine. */
const schemes: Readonly<Record<string, Scheme>> = {
  http: web,
  https: web,
  rtsp,
  rtsps: rtsp,
  rtmp,
  rtmps: rtmp,
  rtp: packets,
  udp: packets,
  tcp: connection,
  tls: connection,
}

/**
 * Reads a path or address of the command line.
 * @throws {@link UsageError} for an address that is not supported
 */
export function mediaOf(argument: string): Media {
  const scheme = /^([a-z][a-z\d+.-]*):\/\//i.exec(argument)?.[1]?.toLowerCase()
  if (scheme === undefined) return fileAt(argument)
  if (scheme === 'file') {
    try {
      return fileAt(fileURLToPath(argument))
    } catch {
      throw new UsageError(`Expected the address of a file of this machine but received ${argument}`)
    }
  }
  const known = Object.hasOwn(schemes, scheme) ? schemes[scheme] : undefined
  if (known === undefined) {
    const names = Object.keys(schemes)
    const near = nearest(scheme, names)
    throw new UsageError(
      `Expected a path or an address of ${names.join(', ')} but received ${withoutPasswords(argument)}${near === undefined ? '' : `; did you mean ${near}?`}`,
    )
  }
  return { url: argument, ...known, name: withoutPasswords(argument), path: null }
}

function fileAt(path: string): Media {
  return { url: `file:${resolve(path)}`, protocols: ['file', 'crypto'], name: path, path, live: false }
}

/** A server that says nothing for so long is given up, in microseconds. */
const silence = 20_000_000

/** How the samples of a recording are written: with two channels, of which the mix is made with care for inverse ones. */
export const mediaFormat = { sampleRate: 16_000, channels: 2, format: 's16le' } as const

/** What was found out about a recording before it is decoded. */
export interface KnownMedia {
  track: AudioTrack | undefined
  /** Its time stamps count from here, in seconds; `undefined`: from the first one. */
  zero: number | undefined
  warnings: readonly Warning[]
}

/** How a recording is read. */
export interface Reading extends ListenChoice {
  /** No faster than it plays. */
  realtime: boolean
}

/**
 * The arguments with which ffmpeg writes an audio track at 16 kHz, and the times of its packets. A single channel is written twice; one that
 * is not there is an error of ffmpeg.
 */
export function ffmpegArguments(
  { url, protocols, path, live }: Pick<Media, 'url' | 'protocols' | 'path' | 'live'>,
  { realtime, channel, track: wanted }: Reading,
  { track, zero }: Pick<KnownMedia, 'track' | 'zero'> = { track: undefined, zero: undefined },
): string[] {
  const { sampleRate, channels } = mediaFormat
  const output = [
    ...['-map', track === undefined ? `0:a:${typeof wanted === 'number' ? wanted : 0}` : `0:${track.index}`],
    ...(channel === 'mix' ? [] : ['-af', `channelmap=map=${channel}|${channel}:channel_layout=stereo`]),
    ...['-ac', String(channels), '-ar', String(sampleRate), '-c:a', 'pcm_s16le'],
    // What is decoded is written at once.
    ...['-flush_packets', '1'],
  ]
  return [
    ...['-nostdin', '-hide_banner', '-loglevel', 'error'],
    ...(zero === undefined ? [] : ['-copyts']),
    ...['-protocol_whitelist', protocols.join(',')],
    ...(path === null && !live ? ['-rw_timeout', String(silence)] : []),
    ...(realtime ? ['-re'] : []),
    ...['-i', url],
    ...[...output, '-f', 's16le', 'pipe:1'],
    ...[...output, '-f', 'framecrc', 'pipe:3'],
  ]
}

/**
 * Checks what can be checked before a model is loaded.
 * @throws `ERR_AUDIO_DECODE` for a file that cannot be read
 */
export async function checkMedia({ path, name }: Media): Promise<void> {
  if (path === null) return
  try {
    await access(path, constants.R_OK)
  } catch (error) {
    throw undecodable(`'${name}'`, describeSystemError(error), { cause: error })
  }
}

/**
 * Decodes a file or address.
 * @throws `ERR_AUDIO_UNSUPPORTED` when there is no ffmpeg
 */
export async function openMedia(media: Media, reading: Reading, known: KnownMedia): Promise<Source> {
  try {
    return await startProgram({
      program: ffmpegProgram(),
      args: ffmpegArguments(media, reading, known),
      name: media.name,
      failing: `Cannot decode '${media.name}'`,
      endless: false,
      advice:
        reading.channel === 'mix' ? [] : [`Does it have a channel ${reading.channel}? They count from 0`],
      timed: { zero: (known.zero ?? 0) * mediaFormat.sampleRate },
      warnings: known.warnings,
    })
  } catch (cause) {
    throw ffmpegMissing(`Cannot decode '${media.name}': that needs ffmpeg`, cause, [])
  }
}

/**
 * Finds out what can be known of a recording, and which track is meant. Nothing but a file can be read twice.
 *
 * @throws `ERR_INVALID_ARGUMENT` for a track that is not there; {@link UsageError} for a language where those of the tracks cannot be known
 */
export async function lookAt(
  { path, name }: Media,
  wanted: ListenChoice['track'],
  signal: AbortSignal,
): Promise<KnownMedia> {
  if (path === null || !(await stat(path)).isFile()) {
    if (typeof wanted === 'string')
      throw new UsageError(
        `Expected the number of an audio track for --track but received ${JSON.stringify(wanted)}: the tracks of '${name}' are not known before it is read`,
      )
    return { track: undefined, zero: undefined, warnings: [] }
  }
  const found = await look({ input: { path }, name: `'${name}'`, found: 'it is a recording', signal }).catch(
    () => undefined,
  )
  const tracks = found?.tracks ?? []
  // Where there is none, or ffmpeg is missing, decoding says so.
  const track = tracks.length === 0 ? undefined : chooseTrack(tracks, wanted)
  const warnings = wanted === undefined ? trackWarnings(tracks, track) : []
  return { track, zero: found?.zero, warnings }
}
