import type { Warning } from '../warnings.ts'

const rate = 16_000
/** Time stamps are less exact than samples: nobody hears silence that is shorter, and it would cut words. In frames. */
const tolerance = 0.1 * rate
/** A later time stamp is a mistake, or that of a recording which was cut out of another. In frames. */
const longestSilence = 2 * 3600 * rate
/** Time stamps that go back so far begin anew. In frames. */
const restart = 5 * rate
/** Damage that is closer together is one range, and what sounds between is noise. In frames. */
const merged = 1 * rate

/** Silence before a frame of the decoded samples, in frames at 16 kHz. */
export interface Gap {
  /** Decoded frames before it. */
  at: number
  silence: number
  /** Decoded frames after it that it stands for. */
  dropped: number
}

/** Lays decoded pieces out on the clock of their container, where there may be silence before and between them. */
export class Timeline {
  /** Decoded frames so far. */
  #decoded = 0
  /** Frames with the silence among them. */
  #end = 0
  /** How far the time stamps are ahead of the clock that is believed. */
  #ahead = 0
  readonly #gaps: Gap[] = []
  readonly #warnings: Warning[] = []

  /** Seconds so far. */
  get end(): number {
    return this.#end / rate
  }

  get decoded(): number {
    return this.#decoded
  }

  /**
   * Adds a piece of `frames` whose first frame has the time stamp `time`, in frames.
   * @returns the silence before it, in frames
   */
  add(time: number, frames: number): number {
    // Time stamps that begin anew, as where recordings were joined, count from here.
    if (time - this.#ahead < this.#end - restart) this.#ahead = time - this.#end
    const late = time - this.#ahead - this.#end
    const silence = late > tolerance && late <= longestSilence ? Math.round(late) : 0
    if (late > longestSilence) {
      this.#ahead += late
      const at = this.end
      this.#warnings.push({
        code: 'AUDIO_TIME_JUMP',
        message: `The time stamps jump forward by ${seconds(late)} at ${seconds(this.#end)}: that is taken for a mistake, and times go on from there`,
        start: at,
      })
    }
    if (silence > 0) this.#gaps.push({ at: this.#decoded, silence, dropped: 0 })
    this.#decoded += frames
    this.#end += silence + frames
    return silence
  }

  /** @param damaged whether the gaps are those of damage */
  finish(damaged: boolean): { gaps: Gap[]; warnings: Warning[] } {
    if (!damaged) return { gaps: this.#gaps, warnings: this.#warnings }
    const gaps = joined(this.#gaps)
    let before = 0
    const ranges = gaps.map(({ at, silence, dropped }) => {
      const start = at + before
      before += silence - dropped
      return { at, start, end: start + silence }
    })
    const found = ranges.filter(({ at }) => at > 0).map(({ start, end }) => damage(start, end))
    return { gaps, warnings: [...this.#warnings, ...found] }
  }
}

/** Gaps that are close together become one. */
function joined(gaps: readonly Gap[]): Gap[] {
  const result: Gap[] = []
  for (const gap of gaps) {
    const last = result.at(-1)
    const between = last === undefined ? 0 : gap.at - (last.at + last.dropped)
    if (last === undefined || last.at === 0 || between > merged) {
      result.push({ ...gap })
      continue
    }
    last.dropped += between
    last.silence += between + gap.silence
  }
  return result
}

function damage(start: number, end: number): Warning {
  return {
    code: 'AUDIO_DAMAGED',
    message: `The recording is damaged from ${seconds(start)} to ${seconds(end)}: what cannot be decoded there is silence`,
    start: start / rate,
    end: end / rate,
  }
}

function seconds(frames: number): string {
  return `${(frames / rate).toFixed(2)} s`
}

/** A packet of decoded samples, as a line of ffmpeg's format `framecrc` describes it. */
export interface Packet {
  /** Frames. */
  time: number
  frames: number
  bytes: number
}

/** @returns `undefined` for a line that describes no packet */
export function parsePacket(line: string): Packet | undefined {
  const [, , time, frames, bytes] = line.split(',').map(Number)
  if (line.startsWith('#') || time === undefined || frames === undefined || bytes === undefined)
    return undefined
  return Number.isFinite(time + frames + bytes) && frames > 0 ? { time, frames, bytes } : undefined
}
