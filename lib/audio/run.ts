import type { NativeAudioSource, NativeTask } from '../native.ts'
import type { PreparedAudio } from './sources.ts'

/** Codes of what a decoder of the addon cannot do, where ffmpeg may. */
const codes = ['ERR_AUDIO_UNSUPPORTED', 'ERR_AUDIO_DECODE']

/**
 * Runs a job on audio, and runs it again on what ffmpeg makes of it when the decoder of the addon turns out not to be enough. The decoder fails
 * before the job has said anything.
 *
 * @param settled is told of the audio that was used
 */
export function runOnAudio<T>(
  prepared: PreparedAudio,
  start: (source: NativeAudioSource) => NativeTask<T>,
  settled: (used: PreparedAudio) => void = () => {},
): NativeTask<T> {
  let task = start(prepared.source)
  let cancelled = false
  const again = async (error: unknown): Promise<T> => {
    const code = (error as { code?: unknown } | null)?.code
    if (cancelled || prepared.viaFfmpeg === undefined || !codes.includes(code as string)) throw error
    let converted: PreparedAudio
    try {
      converted = await prepared.viaFfmpeg(error)
    } catch (failure) {
      // A file that is damaged beyond repair is no matter of software that is missing.
      throw code === 'ERR_AUDIO_DECODE' && !cancelled ? error : failure
    }
    if (cancelled) throw error
    settled(converted)
    task = start(converted.source)
    return task.result
  }
  return {
    result: task.result.catch(again),
    cancel() {
      cancelled = true
      task.cancel()
    },
  }
}
