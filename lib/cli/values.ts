import { readFileSync } from 'node:fs'
import { UsageError } from './failures.ts'

/**
 * Reads a number, or one of a few words. What is neither is passed on as it is: the library refuses it and says what it
 * expected.
 */
export function numberOr(words: Readonly<Record<string, number | null>> = {}): (text: string) => unknown {
  return (text) => {
    const word = Object.hasOwn(words, text) ? words[text] : undefined
    if (word !== undefined) return word
    return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(text) ? Number(text) : text
  }
}

/** Reads a whole number; what is none is passed on as it is. */
export const numberIfDigits = (text: string): number | string => (/^\d+$/.test(text) ? Number(text) : text)

/** Reads a list with commas. */
export function listOf(read: (text: string) => unknown): (text: string) => unknown[] {
  return (text) => text.split(',').map((item) => read(item.trim()))
}

/** Reads parts of the audio such as `0-30,60.5-90,120-`. */
export function partsOf(text: string): unknown[] {
  return text.split(',').map((part) => {
    const [, start, end] = /^\s*(\d+(?:\.\d+)?)-(\d+(?:\.\d+)?)?\s*$/.exec(part) ?? []
    if (start === undefined) {
      throw new UsageError(
        `Expected ranges of seconds such as 0-30,60.5-90,120- for --clips but received ${JSON.stringify(part)}`,
      )
    }
    return end === undefined ? [Number(start)] : [Number(start), Number(end)]
  })
}

/** The text itself, or the contents of the file that `@FILE` names. */
export function textOrFile(text: string): string {
  if (!text.startsWith('@')) return text
  return readFileSync(text.slice(1), 'utf8')
}
