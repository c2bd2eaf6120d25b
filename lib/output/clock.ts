/** A time of day as subtitles count it. */
export interface Clock {
  /** Not limited to 24. */
  hours: number
  /** 0..59 */
  minutes: number
  /** 0..59 */
  seconds: number
  /** Parts of a second, 0..`resolution - 1`. */
  fraction: number
}

/**
 * Splits a time. It is rounded as a whole before it is split, so that 59.9996 s is a minute and not 59.1000 seconds.
 * @param seconds at least 0
 * @param resolution parts of a second: 1000 for milliseconds
 */
export function splitTime(seconds: number, resolution: number): Clock {
  const parts = Math.round(seconds * resolution)
  const whole = Math.floor(parts / resolution)
  return {
    hours: Math.floor(whole / 3600),
    minutes: Math.floor(whole / 60) % 60,
    seconds: whole % 60,
    fraction: parts % resolution,
  }
}

/** With leading zeros. */
export function digits(value: number, length: number): string {
  return String(value).padStart(length, '0')
}

/** Milliseconds from the start, the nearest. */
export function milliseconds(seconds: number): number {
  return Math.round(seconds * 1000)
}

/** `HH:MM:SS,mmm` with any separator before the milliseconds; more digits of hours where they are needed. */
function timestamp(seconds: number, separator: ',' | '.'): string {
  const clock = splitTime(seconds, 1000)
  const time = [clock.hours, clock.minutes, clock.seconds].map((value) => digits(value, 2)).join(':')
  return `${time}${separator}${digits(clock.fraction, 3)}`
}

/**
 * The line with the times of a subtitle. A subtitle must end after it begins, also when both times round to the same
 * millisecond: then it lasts one.
 */
export function timingLine(start: number, end: number, separator: ',' | '.'): string {
  const last = Math.max(milliseconds(end), milliseconds(start) + 1) / 1000
  return `${timestamp(start, separator)} --> ${timestamp(last, separator)}`
}
