/**
 * Stable codes of {@link Warning}. New codes may be added; the meaning of a code never changes.
 *
 * - `AUDIO_DAMAGED`: bytes of the recording between `start` and `end` are lost or changed. What could not be decoded is silence.
 * - `HOTWORDS_CUT`: there are more hotwords than fit, and the last ones are left out.
 * - `MODEL_UNFIT`: judging by its shape, the model was probably not trained for this task or language.
 * - `PROMPT_CUT`: the prompt is too long, and its beginning is left out.
 * - `LANGUAGE_UNSURE`: no language is more probable than all others together.
 * - `SPEECH_NOT_TRANSCRIBED`: more than 3 s of what sounds like speech, between `start` and `end`, gave no text, even when decoded again on
 *   its own.
 * - `AUDIO_TRUNCATED`: the recording ends at `start`, before its header says it should.
 * - `AUDIO_TIME_JUMP`: the timestamps jump forward by more than two hours at `start`; the jump was ignored.
 * - `AUDIO_TRACKS`: the file has several audio tracks, of which one was transcribed.
 * - `AUDIO_CHANNEL_INVERTED`: a channel is the inverse of another, and was inverted so that they do not cancel out.
 * - `AUDIO_CHANNELS_DIFFER`: two channels with different content were mixed.
 * - `DIARIZE_MONO`: the audio has one channel, so it cannot tell who speaks.
 */
export type WarningCode =
  | 'AUDIO_DAMAGED'
  | 'AUDIO_TRUNCATED'
  | 'HOTWORDS_CUT'
  | 'LANGUAGE_UNSURE'
  | 'MODEL_UNFIT'
  | 'PROMPT_CUT'
  | 'SPEECH_NOT_TRANSCRIBED'
  | 'AUDIO_TIME_JUMP'
  | 'AUDIO_TRACKS'
  | 'AUDIO_CHANNEL_INVERTED'
  | 'AUDIO_CHANNELS_DIFFER'
  | 'DIARIZE_MONO'

/** Something that makes a result doubtful, or was done differently than you might expect. The work continued. */
export interface Warning {
  code: WarningCode
  /** One sentence that names the problem and says what was done. */
  message: string
  /** Where it begins, in seconds from the start of the audio; absent if it concerns all of it. */
  start?: number
  /** Where it ends; absent if it concerns a single moment, or all of the audio. */
  end?: number
}

/** More warnings than anybody reads: the rest is counted. */
const most = 100

/** Warnings without those that say the same again, and not without end. */
export class Warnings {
  readonly #seen = new Set<string>()
  readonly #list: Warning[] = []
  readonly #dropped = new Map<WarningCode, number>()

  /** @returns whether it is a new one, and kept */
  add(warning: Warning): boolean {
    const { code, message, start, end } = warning
    const key = JSON.stringify([code, message, start, end])
    if (this.#seen.has(key)) return false
    if (this.#list.length >= most) {
      this.#dropped.set(code, (this.#dropped.get(code) ?? 0) + 1)
      return false
    }
    this.#seen.add(key)
    this.#list.push({
      code,
      message,
      ...(start !== undefined && { start }),
      ...(end !== undefined && { end }),
    })
    return true
  }

  /** In the order in which they came; at the end how many were left out, for each code. */
  list(): Warning[] {
    const rest = [...this.#dropped].map(([code, count]) => ({
      code,
      message: `${count} more ${count === 1 ? 'warning' : 'warnings'} of this kind`,
    }))
    return [...this.#list, ...rest]
  }
}

/** One list of several, in their order. */
export function joinWarnings(...lists: readonly (readonly Warning[] | undefined)[]): Warning[] {
  const all = new Warnings()
  for (const warning of lists.flatMap((list) => list ?? [])) all.add(warning)
  return all.list()
}

/** Warnings of a piece of audio that begins at `offset` seconds, in the time of the whole. */
export function shiftWarnings(warnings: readonly Warning[], offset: number): Warning[] {
  return warnings.map(({ start, end, ...rest }) => ({
    ...rest,
    ...(start !== undefined && { start: start + offset }),
    ...(end !== undefined && { end: end + offset }),
  }))
}
