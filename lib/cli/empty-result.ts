import type { TranscribeOptions, TranscriptionResult } from '../index.ts'

/**
 * Why a result has no text, in one sentence without a full stop; null where it has some.
 * @param options that it was made with
 */
export function whyEmpty(
  { text, duration, warnings, stats }: TranscriptionResult,
  { offset = 0, clips, vad }: Pick<TranscribeOptions, 'offset' | 'clips' | 'vad'>,
): string | null {
  if (text.trim() !== '') return null
  const has = (code: string) => warnings.some((warning) => warning.code === code)
  if (duration === 0) return 'no text: the recording is empty'
  const length = `${duration.toFixed(1)} s`
  if (offset >= duration)
    return `no text: --offset ${offset} is past the end of the recording, which is ${length} long`
  if (clips !== undefined && stats.audioSeconds === 0)
    return `no text: all clips are past the end of the recording, which is ${length} long`
  if (has('SPEECH_NOT_TRANSCRIBED'))
    return 'no text: what sounds like speech gave none; is it the right --language, and a model that is large enough?'
  if (has('AUDIO_TRUNCATED') || has('AUDIO_DAMAGED'))
    return `no text: only ${length} of the recording could be read, and nobody speaks in them`
  return vad
    ? 'no text: the voice activity detection found no speech; try without --vad'
    : `no text: nobody seems to speak in these ${length}`
}
