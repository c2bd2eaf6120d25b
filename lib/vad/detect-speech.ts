import { AbortController } from '../abort.ts'
import { runOnAudio } from '../audio/run.ts'
import { prepareAudio } from '../audio/sources.ts'
import type { AudioInput } from '../audio/types.ts'
import { addon } from '../backend/addon.ts'
import { captureCaller, toLibraryError } from '../backend/native-error.ts'
import { checkOptions, checkSignal } from '../check.ts'
import { finishTask } from '../finish-task.ts'
import type { NativeAddon } from '../native.ts'
import { joinWarnings } from '../warnings.ts'
import { parseSpeechOptions, speechOptionNames } from './options.ts'
import type { DetectSpeechOptions, SpeechDetection } from './types.ts'

/**
 * Finds the speech in audio with Silero VAD, on its own thread and without a Whisper model or a GPU, more than a thousand times faster than
 * real time.
 *
 * @param audio whatever {@link transcribe} takes
 * @throws {@link WhisperHipError} `ERR_INVALID_ARGUMENT`, `ERR_AUDIO_DECODE`, `ERR_AUDIO_UNSUPPORTED`, `ERR_OUT_OF_MEMORY`,
 *   `ERR_NATIVE_MISSING`; or `signal.reason`
 */
export async function detectSpeech(
  audio: AudioInput,
  options: DetectSpeechOptions = {},
): Promise<SpeechDetection> {
  const caller = captureCaller(detectSpeech)
  try {
    const { signal, ...speech } = checkOptions(options, [...speechOptionNames, 'signal'], 'detectSpeech()')
    const native = parseSpeechOptions(speech, 'detectSpeech()')
    const stop = signal === undefined ? new AbortController().signal : checkSignal(signal, 'signal')
    return await detect(addon().native, audio, native, stop)
  } catch (error) {
    throw toLibraryError(error, caller)
  }
}

async function detect(
  native: NativeAddon,
  audio: AudioInput,
  options: ReturnType<typeof parseSpeechOptions>,
  signal: AbortSignal,
): Promise<SpeechDetection> {
  const prepared = await prepareAudio(audio, native, signal)
  let used = prepared
  const task = runOnAudio(
    prepared,
    (source) => native.detectSpeech(source, options),
    (converted) => {
      used = converted
    },
  )
  const found = await finishTask(task, signal)
  return { ...found, warnings: joinWarnings(used.warnings, found.warnings) }
}
