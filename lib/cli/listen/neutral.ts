import { stripVTControlCharacters } from 'node:util'

/** Change the order of all that follows on a line. */
const directions = /[\u202a-\u202e\u2066-\u2069]/g

/**
 * A text that is safe to print, on one line: without escape sequences and other characters that control a terminal. White space
 * becomes single spaces, also at the ends.
 */
export function neutral(text: string): string {
  return stripVTControlCharacters(text)
    .replace(/[\p{Cc}\s]+/gu, ' ')
    .replace(directions, '')
}

/** JSON on one line in which no character controls a terminal; what it says is the same. */
export function neutralJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
