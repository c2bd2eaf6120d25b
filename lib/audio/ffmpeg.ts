import { type ChildProcess, spawn } from 'node:child_process'
import type { FileHandle } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { onAbort } from '../abort.ts'
import type { WhisperHipError } from '../errors.ts'
import { log } from '../log.ts'
import type { NativeByteStore } from '../native.ts'
import type { Warning } from '../warnings.ts'
import type { AudioChoice } from './choice.ts'
import { undecodable } from './failures.ts'
import { ffmpegMissing, ffmpegProgram } from './ffmpeg-program.ts'
import { chooseTrack, type Media, parseMedia, trackWarnings } from './media.ts'
import { type PcmFormat, whisperFormat } from './pcm.ts'
import { complaints, lastLines, readTail } from './program-messages.ts'
import { type Gap, type Packet, parsePacket, Timeline } from './timeline.ts'

/** What ffmpeg reads: a file by its absolute path, or an open file. */
export type FfmpegInput = { path: string } | { file: FileHandle }

/** A file to look at. */
export interface FileJob {
  input: FfmpegInput
  /** The audio in messages: a quoted path, or `the audio bytes`. */
  name: string
  /** What it is and why that needs ffmpeg, e.g. `it is an M4A file`. */
  found: string
  signal: AbortSignal
}

/** A file to decode. */
export interface FfmpegJob extends FileJob {
  choice: AudioChoice
  store: NativeByteStore
  /** Whether it is known to be damaged: then what is missing in it is damage. */
  damaged: boolean
}

/** Samples in a store, and how they lie on the clock of their container. */
export interface Decoded {
  format: PcmFormat
  gaps: Gap[]
  warnings: Warning[]
  /** Whether ffmpeg has complained. */
  damaged: boolean
}

/** Of messages: a file may list many tracks and chapters. */
const mostBytes = 1 << 18

/** Shorter than this a recording may be than its header says, in seconds. */
const spareSeconds = 0.5

/**
 * Decodes one audio track with `ffmpeg` from the `PATH`, or the program that `WHISPER_HIP_FFMPEG` names, into a store, at 16 kHz.
 *
 * The program runs without a shell; what it opens is limited to the one input, whatever the file says or is called.
 *
 * @throws `ERR_AUDIO_UNSUPPORTED` if there is no ffmpeg, `ERR_AUDIO_DECODE` with its last messages if nothing was decoded,
 *   `ERR_INVALID_ARGUMENT` for a track that is not there, or the signal's reason: then the program is killed
 */
export async function decodeWithFfmpeg(job: FfmpegJob): Promise<Decoded> {
  const { choice, store } = job
  const media = await look(job)
  if (media?.tracks.length === 0) throw undecodable(job.name, `${job.found} without an audio track`)
  const track = chooseTrack(media?.tracks ?? [], choice.track)
  const timeline = new Timeline()
  const zero = (media?.zero ?? 0) * whisperFormat.sampleRate
  let channels = 1
  const args = decodingArguments(job.input, media, track?.index, choice)
  const { exit, messages } = await run(job, args, async (child) => {
    await Promise.all([
      collect(child.stdout as Readable, store),
      followPackets(child.stdio[3] as Readable, ({ time, frames, bytes }) => {
        channels = Math.max(Math.round(bytes / frames / 2), 1)
        timeline.add(time - zero, frames)
      }),
    ])
  })
  const said = lastLines(complaints(messages))
  const failed = exit.code !== 0
  if (failed && (exit.signal !== null || store.byteLength === 0)) throw failure(job, exit, messages)
  if (said !== '') log('warn', `ffmpeg on ${job.name}: ${said}`)
  const damaged = job.damaged || failed || said !== ''
  if (damaged && store.byteLength === 0) throw failure(job, exit, messages)
  const { gaps, warnings } = timeline.finish(damaged)
  const found = [...warnings, ...endWarnings(media, timeline.end, damaged)]
  return {
    format: { ...whisperFormat, format: 's16', channels: timeline.decoded > 0 ? channels : 1 },
    gaps,
    damaged,
    warnings: [
      ...(choice.track === undefined ? trackWarnings(media?.tracks ?? [], track) : []),
      ...found,
      // What has a place says enough.
      ...(damaged && found.length === 0 ? [reported(said, exit)] : []),
    ],
  }
}

/** What ffmpeg knows of a file; `undefined` when it says nothing that is understood. */
export async function look(job: FileJob): Promise<Media | undefined> {
  const { exit, messages } = await run(job, inputArguments(job.input, 'info'), async (child) => {
    for (const output of [child.stdout, child.stdio[3] as Readable]) output?.resume()
  })
  const media = parseMedia(messages)
  if (media !== undefined || exit.code === 0) return media
  throw failure(job, exit, messages.replace(/^At least one output file must be specified$/m, ''))
}

/** Starts ffmpeg, and ends it whatever happens. */
async function run(
  job: FileJob,
  args: readonly string[],
  read: (child: ChildProcess) => Promise<void>,
): Promise<{ exit: Exit; messages: string }> {
  const { signal } = job
  const child = await start(job, args)
  let forgetSignal: () => void = () => {}
  const aborted = new Promise<never>((_, reject) => {
    forgetSignal = onAbort(signal, () => reject(signal.reason))
  })
  try {
    signal.throwIfAborted()
    const work = Promise.all([exitOf(child), readTail(child.stderr as Readable, mostBytes), read(child)])
    const [exit, messages] = await Promise.race([work, aborted])
    return { exit, messages }
  } finally {
    forgetSignal()
    child.kill('SIGKILL')
    for (const stream of child.stdio) stream?.destroy()
  }
}

async function start(job: FileJob, args: readonly string[]): Promise<ChildProcess> {
  const stdin = 'file' in job.input ? job.input.file.fd : 'ignore'
  try {
    const child = spawn(ffmpegProgram(), args, { stdio: [stdin, 'pipe', 'pipe', 'pipe'] })
    if (child.pid === undefined) throw await new Promise((resolve) => child.once('error', resolve))
    return child
  } catch (cause) {
    const { name, found } = job
    throw ffmpegMissing(`Cannot decode ${name}: ${found}, which needs ffmpeg`, cause, [
      'Or convert the audio to wav, mp3, flac or ogg vorbis, which need no other program',
    ])
  }
}

/** The prefix keeps a path from being read as an option or another protocol; the list keeps the file from naming others. */
function inputArguments(input: FfmpegInput, level: 'info' | 'error'): string[] {
  const url = `file:${'path' in input ? input.path : '/dev/fd/0'}`
  return [
    '-nostdin',
    '-hide_banner',
    '-nostats',
    '-loglevel',
    level,
    '-protocol_whitelist',
    'file',
    '-i',
    url,
  ]
}

/**
 * The samples go to the standard output, and a line for each packet of them, with its time, to another pipe. More than two channels are mixed to
 * two, with the weights of their places, unless single ones are asked for.
 */
function decodingArguments(
  input: FfmpegInput,
  media: Media | undefined,
  track: number | undefined,
  { channel }: AudioChoice,
): string[] {
  const output = [
    ...['-map', track === undefined ? '0:a:0' : `0:${track}`],
    ...(channel === 'mix' ? ['-af', 'aformat=channel_layouts=mono|stereo'] : []),
    ...['-ar', String(whisperFormat.sampleRate), '-c:a', 'pcm_s16le'],
  ]
  return [
    ...(media?.zero === undefined ? [] : ['-copyts']),
    ...inputArguments(input, 'error'),
    ...[...output, '-f', 's16le', 'pipe:1'],
    ...[...output, '-f', 'framecrc', 'pipe:3'],
  ]
}

interface Exit {
  code: number | null
  signal: string | null
}

function exitOf(child: ChildProcess): Promise<Exit> {
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => resolve({ code, signal }))
  })
}

async function collect(stdout: Readable, store: NativeByteStore): Promise<void> {
  for await (const chunk of stdout) store.append(chunk as Uint8Array, false)
}

/** Calls `follow` for each packet that a pipe describes. */
async function followPackets(pipe: Readable, follow: (packet: Packet) => void): Promise<void> {
  for await (const line of createInterface({ input: pipe })) {
    const packet = parsePacket(line)
    if (packet !== undefined) follow(packet)
  }
}

function endWarnings(media: Media | undefined, end: number, damaged: boolean): Warning[] {
  const promised = media?.end
  // The length of a container is that of its longest track.
  const others = media !== undefined && (media.hasOthers || media.tracks.length > 1)
  if (promised === undefined || end > promised - spareSeconds || (others && !damaged)) return []
  return [
    {
      code: 'AUDIO_TRUNCATED',
      message: `The recording is cut off at ${end.toFixed(2)} s: its header promises ${promised.toFixed(2)} s`,
      start: end,
      end: promised,
    },
  ]
}

function reported(said: string, exit: Exit): Warning {
  const what = said === '' ? `it ended with exit code ${exit.code}` : said
  return { code: 'AUDIO_DAMAGED', message: `ffmpeg could not decode all of the recording: ${what}` }
}

function failure({ name, found }: FileJob, exit: Exit, messages: string): WhisperHipError {
  if (/Stream map '0:a:0' matches no streams/.test(messages)) {
    return undecodable(name, `${found} without an audio track`)
  }
  const end =
    exit.signal !== null
      ? `failed with signal ${exit.signal}`
      : exit.code === 0
        ? 'found no sound in it'
        : `failed with exit code ${exit.code}`
  const last = lastLines(messages)
  return undecodable(name, `${found}, and ffmpeg ${end}${last === '' ? '' : `: ${last}`}`)
}
