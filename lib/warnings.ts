/**
 * Stable codes of {@link Warning}. New codes may be added; the meaning of a code never changes.
 *
 * - `AUDIO_DAMAGED`: bytes of the recording are lost or changed, between `start` and `end`. Where nothing could be decoded there is silence.
 * - `HOTWORDS_CUT`: there are more hotwords than the model takes: the last ones are left out.
 * - `MODEL_UNFIT`: by its shape, the model was most likely not trained for what is asked.
 * - `PROMPT_CUT`: the prompt is longer than the model takes: its beginning is left out.
 * - `LANGUAGE_UNSURE`: no language is more probable than all others together.
 * - `SPEECH_NOT_TRANSCRIBED`: more than 3 s of what sounds like speech, between `start` and `end`, gave no text, also when it was decoded once more by itself.
 * - `AUDIO_TRUNCATED`: the recording ends, at `start`, before the end that its header promises.
 * - `AUDIO_TIME_JUMP`: the time stamps jump forward by more than two hours at `start`, which was not believed.
 * - `AUDIO_TRACKS`: one of several audio tracks was taken.
 * - `AUDIO_CHANNEL_INVERTED`: a channel is the inverse of another, and was turned over so that their mix is not silence.
 * - `AUDIO_CHANNELS_DIFFER`: two channels with different sound were mixed.
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

/** Something that was done otherwise than one would expect, or that makes a result doubtful. The work went on. */
export interface Warning {
  code: WarningCode
  /** A sentence that names the thing and says what was done. */
  message: string
  /** Where in the audio, in seconds from its start; absent where it concerns the whole. */
  start?: number
  /** Absent where it concerns a moment, or the whole. */
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
