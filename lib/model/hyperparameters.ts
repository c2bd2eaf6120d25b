import { corrupt, unsupported } from './failures.ts'
import type { Hyperparameters } from './plan.ts'

/** Names of the legacy header and the ranges beyond which a number is damage, not another model. */
const FIELDS: readonly [key: keyof Hyperparameters, name: string, minimum: number, maximum: number][] = [
  ['vocabularySize', 'n_vocab', 1, 1_000_000],
  ['audioContext', 'n_audio_ctx', 1, 100_000],
  ['audioState', 'n_audio_state', 32, 4096],
  ['audioHeads', 'n_audio_head', 1, 64],
  ['audioLayers', 'n_audio_layer', 1, 64],
  ['textContext', 'n_text_ctx', 1, 100_000],
  ['textState', 'n_text_state', 32, 4096],
  ['textHeads', 'n_text_head', 1, 64],
  ['textLayers', 'n_text_layer', 1, 64],
  ['melBins', 'n_mels', 1, 1024],
]

/** Every size of the vocabulary for which whisper.cpp knows the ids of the special tokens. */
const VOCABULARY_SIZES: readonly number[] = [51864, 51865, 51866]
const MEL_BINS: readonly number[] = [80, 128]
/**
 * Contexts may be shorter than the trained 1500 and 448 (test models), never longer: the positions of a window are counted
 * in 30 s / 1500. A text context under 32 would be smaller than the batches that whisper.cpp puts into it (8 beams,
 * a prompt of up to half the context and the task tokens).
 */
const CONTEXTS = { audioContext: [1, 1500], textContext: [32, 448] } as const

/**
 * Refuses values that no Whisper model has.
 * @throws WhisperHipError `ERR_MODEL_CORRUPT`
 */
export function requirePlausible(parameters: Hyperparameters, name: string): void {
  for (const [key, field, minimum, maximum] of FIELDS) {
    const value = parameters[key]
    if (!(Number.isInteger(value) && value >= minimum && value <= maximum)) {
      throw corrupt(name, `${field} is ${value}, where ${minimum} to ${maximum} is possible`)
    }
  }
  const { audioState, audioHeads, textState, textHeads } = parameters
  if (audioState !== textState) {
    throw corrupt(
      name,
      `n_text_state is ${textState}, where n_audio_state is ${audioState}; they are equal in Whisper`,
    )
  }
  requireHeads('n_audio_head', audioHeads, audioState, name)
  requireHeads('n_text_head', textHeads, textState, name)
}

function requireHeads(field: string, heads: number, state: number, name: string): void {
  if (state % heads !== 0) throw corrupt(name, `${field} is ${heads}, which does not divide ${state}`)
}

/**
 * Refuses models that are sound, but that whisper.cpp would run with wrong token ids or a wrong spectrogram.
 * @throws WhisperHipError `ERR_MODEL_UNSUPPORTED`
 */
export function requireSupported(parameters: Hyperparameters, name: string): void {
  const { vocabularySize, melBins } = parameters
  for (const [key, [least, most]] of Object.entries(CONTEXTS)) {
    const value = parameters[key as keyof typeof CONTEXTS]
    if (value >= least && value <= most) continue
    const field = FIELDS.find(([known]) => known === key)?.[1]
    throw unsupported(name, `${field} is ${value}, where ${least} to ${most} is supported`, [
      'Use the checkpoint with the windows of 30 seconds and 448 tokens that Whisper was trained with',
    ])
  }
  if (!VOCABULARY_SIZES.includes(vocabularySize)) {
    throw unsupported(
      name,
      `its vocabulary has ${vocabularySize} tokens, where ${VOCABULARY_SIZES.join(', ')} are supported`,
      ['Convert the checkpoint with its embedding cut back to the vocabulary of the original Whisper model'],
    )
  }
  if (!MEL_BINS.includes(melBins)) {
    throw unsupported(name, `it takes ${melBins} mel bins, where ${MEL_BINS.join(' or ')} are supported`)
  }
}
