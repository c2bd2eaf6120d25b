import { type AudioChoice, parseChannel, parseTrack } from '../../audio/choice.ts'
import { invalidArgument } from '../../check.ts'
import { parseStreamOptions } from '../../stream/options.ts'
import type { LiveSpeechOptions, StreamOptions } from '../../stream/types.ts'
import { type Flags, readFlags, toUsage } from '../flags.ts'
import { anyModel, loadFlags, runFlags } from '../transcribe-flags.ts'
import { numberIfDigits, numberOr } from '../values.ts'

/** Of what `transcribe()` can choose, what one live transcription can listen to. */
export type ListenChoice = AudioChoice & { channel: 'mix' | number }

/** How samples on standard input are written, and how a microphone is recorded. */
export const sampleFlags: Flags<'sampleRate' | 'channels' | 'format'> = {
  sampleRate: {
    flags: '--rate <hz>',
    description: 'samples a second, of standard input or the microphone (default: 16000)',
    read: numberOr(),
  },
  channels: {
    flags: '--channels <n>',
    description: 'interleaved channels, of standard input or the microphone (default: 1)',
    read: numberOr(),
  },
  format: { flags: '--format <format>', description: 's16le or f32le, of standard input (default: s16le)' },
}

/** What of the sound is listened to. */
export const choiceFlags: Flags<keyof AudioChoice> = {
  channel: {
    flags: '--channel <which>',
    description: 'mix, or the number of a channel from 0 (default: mix)',
    read: numberIfDigits,
  },
  track: runFlags.track,
}

/** Options of `stream()` beside those of {@link sampleFlags} and {@link speechFlags}. */
export const streamFlags: Flags<Exclude<keyof StreamOptions, 'signal' | 'vad' | keyof typeof sampleFlags>> = {
  policy: {
    flags: '--policy <policy>',
    description:
      'agreement, alignatt: words appear for good while they are spoken; phrase: after each utterance (default: agreement)',
  },
  frameThreshold: {
    flags: '--frame-threshold <n>',
    description:
      'of alignatt: 20 ms between a word that stays and the end of the audio, 1 to 250 (default: 25)',
    read: numberOr(),
  },
  partials: { flags: '--no-partials', description: 'show nothing of an utterance before its end' },
  step: {
    flags: '--step <seconds>',
    description: 'new audio between two decodings of an utterance, 0.2 to 10 (default: 0.8)',
    read: numberOr(),
  },
  language: runFlags.language,
  task: runFlags.task,
  initialPrompt: runFlags.initialPrompt,
  hotwords: runFlags.hotwords,
  beamSize: runFlags.beamSize,
  temperature: runFlags.temperature,
  noSpeechThreshold: runFlags.noSpeechThreshold,
  logProbThreshold: runFlags.logProbThreshold,
  compressionRatioThreshold: runFlags.compressionRatioThreshold,
  suppressTokens: runFlags.suppressTokens,
  threads: runFlags.threads,
}

/** Options of `vad`, with that before their names. */
export const speechFlags: Flags<`vad${Capitalize<keyof LiveSpeechOptions>}`> = {
  vadThreshold: {
    flags: '--vad-threshold <p>',
    description: 'probability at which speech begins, 0 to 1 (default: 0.5)',
    read: numberOr(),
  },
  vadNegThreshold: {
    flags: '--vad-neg-threshold <p>',
    description: 'probability below which it ends (default: 0.15 less)',
    read: numberOr(),
  },
  vadMinSpeechDurationMs: {
    flags: '--vad-min-speech-duration-ms <ms>',
    description: 'shorter speech is none (default: 100)',
    read: numberOr(),
  },
  vadMinSilenceDurationMs: {
    flags: '--vad-min-silence-duration-ms <ms>',
    description: 'pause that ends an utterance (default: 500)',
    read: numberOr(),
  },
  vadSpeechPadMs: {
    flags: '--vad-speech-pad-ms <ms>',
    description: 'kept around the speech (default: 300)',
    read: numberOr(),
  },
  vadMaxSpeechDurationS: {
    flags: '--vad-max-speech-duration-s <seconds>',
    description: 'longest utterance, 5 to 30 (default: 25)',
    read: numberOr(),
  },
}

/** Where the names of options in messages are looked up. */
export const listenFlags: Flags<string> = {
  ...loadFlags,
  ...sampleFlags,
  ...choiceFlags,
  ...streamFlags,
  ...speechFlags,
  vad: { flags: '--no-vad', description: 'take everything for speech' },
  maxSegmentLength: { flags: '--max-segment-length <characters>', description: 'longest subtitle' },
}

/**
 * Checks what can be checked without a model; see {@link checkRunOptions}.
 * @throws {@link UsageError}
 */
export function checkStreamOptions(options: Record<string, unknown>): StreamOptions {
  try {
    parseStreamOptions(options, anyModel)
  } catch (error) {
    throw toUsage(error, listenFlags)
  }
  return options
}

/**
 * What is to be listened to.
 * @throws {@link UsageError}
 */
export function readChoice(given: Readonly<Record<string, unknown>>): ListenChoice {
  const { channel, track } = readFlags(choiceFlags, given)
  try {
    const chosen = channel === undefined ? 'mix' : parseChannel(channel, 'channel')
    // Two channels would be two live transcriptions, and their texts come at once.
    if (chosen === 'split') throw invalidArgument('"mix" or the number of a channel', 'channel', channel)
    return { channel: chosen, track: track === undefined ? undefined : parseTrack(track, 'track') }
  } catch (error) {
    throw toUsage(error, listenFlags)
  }
}

/** Options of `stream()` that were given, which may still be wrong. */
export function readStreamFlags(given: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const speech = Object.entries(readFlags(speechFlags, given)).map(([name, value]) => [
    name.charAt(3).toLowerCase() + name.slice(4),
    value,
  ])
  return {
    policy: 'agreement',
    ...readFlags(sampleFlags, { ...given, sampleRate: given.rate }),
    ...readFlags(streamFlags, given),
    ...(given.vad === false ? { vad: false } : speech.length > 0 ? { vad: Object.fromEntries(speech) } : {}),
  }
}
