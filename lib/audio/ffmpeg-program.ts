import { WhisperHipError } from '../errors.ts'
import { isError } from '../kinds.ts'
import { describeSystemError } from './failures.ts'

/** The program to run: `ffmpeg` from the `PATH`, or the one that `WHISPER_HIP_FFMPEG` names. */
export function ffmpegProgram(): string {
  return process.env.WHISPER_HIP_FFMPEG || 'ffmpeg'
}

/**
 * The error when ffmpeg cannot be started.
 * @param need the beginning of the sentence, e.g. "Cannot decode 'x': it is an M4A file, which needs ffmpeg"
 * @param otherwise what to do without ffmpeg
 */
export function ffmpegMissing(need: string, cause: unknown, otherwise: readonly string[]): WhisperHipError {
  const program = ffmpegProgram()
  const chosen = Boolean(process.env.WHISPER_HIP_FFMPEG)
  const absent = isError(cause) && 'code' in cause && cause.code === 'ENOENT'
  const state = absent
    ? chosen
      ? `WHISPER_HIP_FFMPEG names ${JSON.stringify(program)}, which does not exist`
      : 'ffmpeg is not installed'
    : `${JSON.stringify(program)} cannot be run: ${describeSystemError(cause)}`
  return new WhisperHipError('ERR_AUDIO_UNSUPPORTED', `${need}, and ${state}`, {
    advice: [
      ...(chosen
        ? ['Set WHISPER_HIP_FFMPEG to the path of an ffmpeg program, or unset it to use the one on the PATH']
        : []),
      'Install ffmpeg (Debian, Ubuntu: apt install ffmpeg; Fedora: dnf install ffmpeg-free; Arch: pacman -S ffmpeg; Alpine: apk add ffmpeg)',
      ...otherwise,
    ],
    cause,
  })
}
