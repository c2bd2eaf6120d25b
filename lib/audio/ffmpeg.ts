import { type ChildProcess, spawn } from 'node:child_process'
import type { FileHandle } from 'node:fs/promises'
import type { Readable, Writable } from 'node:stream'
import type { WhisperHipError } from '../errors.ts'
import { log } from '../log.ts'
import type { NativeByteStore } from '../native.ts'
import { onAbort } from './abort.ts'
import type { ByteReader } from './bytes.ts'
import { undecodable } from './failures.ts'
import { ffmpegMissing, ffmpegProgram } from './ffmpeg-program.ts'
import { type PcmFormat, whisperFormat } from './pcm.ts'
import { lastLines, readTail } from './program-messages.ts'

/** What ffmpeg reads: a file by its absolute path, an open file, or bytes through a pipe. */
export type FfmpegInput = { path: string } | { file: FileHandle } | { bytes: ByteReader }

export interface FfmpegJob {
  input: FfmpegInput
  /** The audio in messages: a quoted path, or `the audio bytes`. */
  name: string
  /** What the first bytes tell, to follow "it is". */
  found: string
  store: NativeByteStore
  signal: AbortSignal
}

/** Samples as this library asks ffmpeg for them. */
const ffmpegFormat: PcmFormat = { ...whisperFormat, format: 's16' }

/**
 * Decodes the first audio track with `ffmpeg` from the `PATH`, or the program that `WHISPER_HIP_FFMPEG` names, into a store.
 *
 * The program runs without a shell; what it opens is limited to the one input, whatever the file says or is called.
 *
 * @throws `ERR_AUDIO_UNSUPPORTED` if there is no ffmpeg, `ERR_AUDIO_DECODE` with its last messages if it fails, or the
 *   signal's reason: then it is killed
 */
export async function decodeWithFfmpeg(job: FfmpegJob): Promise<PcmFormat> {
  const { input, store, signal } = job
  const child = await start(job)
  let forgetSignal: () => void = () => {}
  const aborted = new Promise<never>((_, reject) => {
    forgetSignal = onAbort(signal, () => reject(signal.reason))
  })
  try {
    signal.throwIfAborted()
    const bytes = 'bytes' in input ? input.bytes : undefined
    const work = Promise.all([
      exitOf(child).finally(() => bytes?.close()),
      readTail(child.stderr as Readable),
      collect(child.stdout as Readable, store),
      bytes && feed(child.stdin as Writable, bytes),
    ])
    const [exit, messages] = await Promise.race([work, aborted])
    if (exit.code !== 0) throw failure(job, exit, messages)
    if (messages !== '') log('warn', `ffmpeg on ${job.name}: ${lastLines(messages)}`)
    return ffmpegFormat
  } finally {
    forgetSignal()
    child.kill('SIGKILL')
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream?.destroy()
  }
}

async function start(job: FfmpegJob): Promise<ChildProcess> {
  const { input } = job
  const stdin = 'file' in input ? input.file.fd : 'bytes' in input ? 'pipe' : 'ignore'
  try {
    const child = spawn(ffmpegProgram(), commandLine(input), { stdio: [stdin, 'pipe', 'pipe'] })
    if (child.pid === undefined) throw await new Promise((resolve) => child.once('error', resolve))
    return child
  } catch (cause) {
    const { name, found } = job
    throw ffmpegMissing(`Cannot decode ${name}: it is ${found}, which needs ffmpeg`, cause, [
      'Or convert the audio to wav, mp3, flac or ogg vorbis, which need no other program',
    ])
  }
}

/** The prefix keeps a path from being read as an option or another protocol; the list keeps the file from naming others. */
function commandLine(input: FfmpegInput): string[] {
  const protocol = 'bytes' in input ? 'pipe' : 'file'
  const url = 'bytes' in input ? 'pipe:0' : `file:${'path' in input ? input.path : '/dev/fd/0'}`
  return [
    ...['-nostdin', '-hide_banner', '-loglevel', 'error'],
    ...['-protocol_whitelist', protocol, '-i', url],
    ...['-map', '0:a:0', '-ac', '1', '-ar', String(ffmpegFormat.sampleRate), '-f', 's16le', '-'],
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

async function feed(stdin: Writable, bytes: ByteReader): Promise<void> {
  // EPIPE: ffmpeg has read enough, or has failed; its exit code tells which.
  stdin.on('error', () => {})
  for (let chunk = await bytes.next(); chunk !== undefined; chunk = await bytes.next()) {
    if (stdin.destroyed) return
    if (!stdin.write(chunk)) await drained(stdin)
  }
  stdin.end()
}

function drained(stdin: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stdin.off('drain', done).off('close', done)
      resolve()
    }
    stdin.on('drain', done).on('close', done)
  })
}

function failure({ name, found }: FfmpegJob, exit: Exit, messages: string): WhisperHipError {
  if (/Stream map '0:a:0' matches no streams/.test(messages)) {
    return undecodable(name, `it is ${found} without an audio track`)
  }
  const end = exit.signal === null ? `exit code ${exit.code}` : `signal ${exit.signal}`
  const said = messages === '' ? '' : `: ${lastLines(messages)}`
  return undecodable(name, `it is ${found}, and ffmpeg failed with ${end}${said}`)
}
