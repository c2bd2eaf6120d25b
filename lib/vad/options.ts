import { checkNumber, checkOptions, invalidArgument } from '../check.ts'
import type { NativeSpeechOptions } from '../native.ts'
import { networkPath } from './network.ts'
import type { SpeechOptions } from './types.ts'

/** The name of every option of speech detection. */
export const speechOptionNames = [
  'threshold',
  'negThreshold',
  'minSpeechDurationMs',
  'maxSpeechDurationS',
  'minSilenceDurationMs',
  'speechPadMs',
] as const satisfies readonly (keyof SpeechOptions)[]

/** The default of `negThreshold`. */
export function negThresholdOf(threshold: number): number {
  return Math.min(threshold, Math.max(threshold - 0.15, 0.01))
}

/** Milliseconds; a quarter of an hour and more than anybody needs. */
const longest = 1_000_000

/**
 * Checks the options of speech detection and fills in the defaults; {@link SpeechOptions} documents both.
 *
 * @param prefix of the names in messages, e.g. `vad.`
 * @throws `ERR_INVALID_ARGUMENT` naming the option; `ERR_NATIVE_MISSING` when the package lacks its network
 */
export function parseSpeechOptions(options: unknown, where: string, prefix = ''): NativeSpeechOptions {
  const given = checkOptions(options, speechOptionNames, where)
  const read = (
    name: (typeof speechOptionNames)[number],
    absent: number,
    min: number,
    max: number,
  ): number => (given[name] === undefined ? absent : checkNumber(given[name], prefix + name, min, max))

  const threshold = read('threshold', 0.5, 0, 1)
  const speechPadMs = read('speechPadMs', 400, 0, 60_000)
  const maxSpeechDurationS = read('maxSpeechDurationS', Number.POSITIVE_INFINITY, 1, Number.POSITIVE_INFINITY)
  if (!(maxSpeechDurationS * 1000 > 2 * speechPadMs)) {
    const expected = `more than the padding at both ends, ${(2 * speechPadMs) / 1000} seconds,`
    throw invalidArgument(expected, `${prefix}maxSpeechDurationS`, maxSpeechDurationS)
  }
  return {
    network: networkPath(),
    threshold,
    negThreshold: read('negThreshold', negThresholdOf(threshold), 0, threshold),
    minSpeechDurationMs: read('minSpeechDurationMs', 0, 0, longest),
    maxSpeechDurationS,
    minSilenceDurationMs: read('minSilenceDurationMs', 2000, 0, longest),
    speechPadMs,
  }
}
