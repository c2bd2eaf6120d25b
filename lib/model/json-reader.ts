import type { Pacer } from '../pacer.ts'
import { corrupt } from './failures.ts'

const NULL = [0x6e, 0x75, 0x6c, 0x6c]
const QUOTE = 0x22
const BACKSLASH = 0x5c
const MAX_DEPTH = 64
/** Longest string in bytes: one string is read without a pause. */
const MAX_STRING = 1 << 16

/**
 * Pulls values out of a JSON text in steps, because `JSON.parse` of a tokenizer file blocks the event loop for 30 to 60 ms.
 * The caller states what it expects; anything else is `ERR_MODEL_CORRUPT`:
 *
 *     json.open('[')
 *     while (json.more()) json.string()
 *     json.finish()
 */
export class JsonReader {
  readonly #text: Uint8Array
  readonly #name: string
  #at = 0
  /** The string that was found last. One reader finds 50,000: a view of each would take longer than what is done with it. */
  source: Uint8Array
  start = 0
  end = 0
  /** Closing characters of the open arrays and objects, and whether each has had a value. */
  readonly #open: { close: number; started: boolean }[] = []

  /** @param text UTF-8 @param name of the file, for messages */
  constructor(text: Uint8Array, name: string) {
    this.#text = text
    this.source = text
    this.#name = name
  }

  open(bracket: '[' | '{'): void {
    this.#expect(bracket.charCodeAt(0))
    if (this.#open.length === MAX_DEPTH) throw this.#fail('nested less deeply')
    this.#open.push({ close: bracket === '[' ? 0x5d : 0x7d, started: false })
  }

  /** Goes to the next value of the innermost array or object; at its end leaves it and returns `false`. */
  more(): boolean {
    const container = this.#open.at(-1)
    if (!container) throw this.#fail('inside an array or object')
    if (this.#peek() === container.close) {
      this.#at++
      this.#open.pop()
      return false
    }
    if (container.started) this.#expect(0x2c)
    container.started = true
    return true
  }

  /** The next key of an object. */
  key(): string {
    this.findKey()
    return this.#found()
  }

  /** A string. */
  string(): string {
    this.findString()
    return this.#found()
  }

  /** Finds the next key of an object, as {@link findString}. */
  findKey(): void {
    this.findString()
    this.#expect(0x3a)
  }

  /** Finds a string: its UTF-8 is that of {@link source} from {@link start} to {@link end}, until the next one is found. */
  findString(): void {
    if (this.#peek() !== QUOTE) throw this.#fail('a string')
    const start = this.#at++
    const escaped = this.#skipString()
    this.source = this.#text
    this.start = start + 1
    this.end = this.#at - 1
    if (escaped) this.#unescape(start)
  }

  /** A non-negative integer of at most nine digits. */
  integer(): number {
    this.#peek()
    const start = this.#at
    let value = 0
    for (; this.#at - start < 9; this.#at++) {
      const digit = (this.#text[this.#at] ?? 0) - 0x30
      if (digit < 0 || digit > 9) break
      value = value * 10 + digit
    }
    if (this.#at === start) throw this.#fail('a non-negative integer')
    return value
  }

  /** A non-negative integer up to 2^53 - 1, without leading zeros. */
  safeInteger(): number {
    this.#peek()
    const start = this.#at
    while (this.#at - start < 17 && isDigit(this.#text[this.#at])) this.#at++
    const digits = Buffer.from(this.#text.subarray(start, this.#at)).toString('latin1')
    const value = Number(digits)
    if (/^(0|[1-9]\d*)$/.test(digits) && Number.isSafeInteger(value)) return value
    this.#at = start
    throw this.#fail('a non-negative integer below 2^53')
  }

  /** Passes over `null`, if that is what is next, and tells whether it was. */
  isNull(): boolean {
    this.#peek()
    const isThere = NULL.every((character, i) => this.#text[this.#at + i] === character)
    if (isThere) this.#at += NULL.length
    return isThere
  }

  /** Passes over one value of any kind without looking closely at it. */
  async skip(pacer: Pacer): Promise<void> {
    this.#peek()
    for (let depth = 0, steps = 0; ; steps++) {
      if ((steps & 0xff) === 0 && pacer.due) await pacer.turn()
      const character = this.#text[this.#at]
      if (character === undefined) throw this.#fail('a value')
      // At depth 0, a comma or a closing bracket belongs to the container that the value is in.
      const closes = character === 0x5d || character === 0x7d
      if (depth === 0 && (closes || character === 0x2c)) return
      this.#at++
      if (character === QUOTE) this.#skipString()
      else if (character === 0x5b || character === 0x7b) depth++
      else if (closes) depth--
    }
  }

  /** Insists on the end of the text. */
  finish(): void {
    if (this.#peek() !== undefined) throw this.#fail('the end')
  }

  #found(): string {
    return Buffer.from(this.source.subarray(this.start, this.end)).toString('utf8')
  }

  #unescape(start: number): void {
    try {
      const quoted = Buffer.from(this.#text.subarray(start, this.#at)).toString('utf8')
      this.source = Buffer.from(JSON.parse(quoted), 'utf8')
    } catch {
      throw this.#fail('a well-formed string')
    }
    this.start = 0
    this.end = this.source.byteLength
  }

  /** Goes from inside a string past its closing quote; tells whether the string has escapes. */
  #skipString(): boolean {
    let escaped = false
    const limit = this.#at + MAX_STRING
    while (this.#at < limit) {
      const character = this.#text[this.#at++]
      if (character === QUOTE) return escaped
      if (character === BACKSLASH) {
        escaped = true
        this.#at++
      } else if (character === undefined) throw this.#fail('the end of a string')
    }
    throw this.#fail(`a string of at most ${MAX_STRING} bytes`)
  }

  /** The next character that is no space, without passing it. */
  #peek(): number | undefined {
    let character = this.#text[this.#at]
    while (character === 0x20 || character === 0x0a || character === 0x0d || character === 0x09) {
      character = this.#text[++this.#at]
    }
    return character
  }

  #expect(character: number): void {
    if (this.#peek() !== character) throw this.#fail(`'${String.fromCharCode(character)}'`)
    this.#at++
  }

  #fail(expected: string) {
    return corrupt(this.#name, `JSON at byte ${Math.min(this.#at, this.#text.byteLength)} is not ${expected}`)
  }
}

function isDigit(character: number | undefined): boolean {
  return character !== undefined && character >= 0x30 && character <= 0x39
}
