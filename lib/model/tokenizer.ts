import { corrupt } from './failures.ts'
import { languageTokens } from './languages.ts'
import type { Vocabulary } from './plan.ts'

/** Longest token in bytes; the longest of OpenAI's has 128. */
export const MAX_TOKEN_BYTES = 1024
/** Longest vocabulary in bytes; OpenAI's have about 350,000. */
const MAX_VOCABULARY_BYTES = 4 << 20

/** A special token that whisper.cpp expects at an id, by the names that tokenizers give it. */
export interface SpecialToken {
  readonly id: number
  readonly names: readonly string[]
}

/** Id of `<|endoftext|>`, the first special token: all ids below are text. */
export function endOfText(vocabularySize: number): number {
  return vocabularySize === 51864 ? 50256 : 50257
}

/**
 * The ids that whisper.cpp derives from the size of the vocabulary alone (`whisper_vocab`): end of text, start of
 * transcript, the languages, the tasks and marks, and the first time stamp.
 */
export function specialTokens(vocabularySize: number): SpecialToken[] {
  let id = endOfText(vocabularySize)
  const next = (...names: string[]): SpecialToken => ({ id: id++, names })
  return [
    next('<|endoftext|>'),
    next('<|startoftranscript|>'),
    // OpenAI's English-only tokenizer has Hebrew by its former code.
    ...languageTokens(vocabularySize).map((code) =>
      next(`<|${code}|>`, ...(code === 'he' ? ['<|iw|>'] : [])),
    ),
    next('<|translate|>'),
    next('<|transcribe|>'),
    next('<|startoflm|>'),
    next('<|startofprev|>'),
    next('<|nospeech|>', '<|nocaptions|>'),
    next('<|notimestamps|>'),
    next('<|0.00|>'),
  ]
}

/** Packs tokens one after the other, as they are added; ids are positions. */
export class VocabularyPacker {
  readonly #name: string
  readonly #lengths: Uint32Array
  #bytes = new Uint8Array(1 << 19)
  #added = 0
  #used = 0
  #hasSpace = false

  /** @param name of the source, for messages */
  constructor(name: string, count: number) {
    this.#name = name
    this.#lengths = new Uint32Array(count)
  }

  /** Number of tokens that it was made for. */
  get count(): number {
    return this.#lengths.length
  }

  /**
   * Adds the token that lies in `source` from `start` to `end`.
   * @throws WhisperHipError `ERR_MODEL_CORRUPT` when the token or the whole is too long
   */
  add(source: Uint8Array, start = 0, end = source.byteLength): void {
    const bytes = this.#roomFor(end - start)
    const first = this.#used
    // A call of set() costs more than a token has bytes.
    for (let from = start, to = first; from < end; from++, to++) bytes[to] = source[from] as number
    this.#take(first + end - start)
  }

  /**
   * Adds the token that lies in `utf8` from `start` to `end` in the printable form of byte-level tokenizers.
   * @returns false when it is not in that form
   * @throws WhisperHipError as {@link add}
   */
  addByteLevel(utf8: Uint8Array, start: number, end: number): boolean {
    const last = decodeByteLevel(utf8, start, end, this.#roomFor(end - start), this.#used)
    if (last < 0) return false
    this.#take(last)
    return true
  }

  /** @throws WhisperHipError `ERR_MODEL_CORRUPT` without a token for the space, on which whisper.cpp insists while decoding */
  finish(): Vocabulary {
    if (!this.#hasSpace) throw corrupt(this.#name, 'its vocabulary has no token for a single space')
    return { bytes: this.#bytes.slice(0, this.#used), lengths: this.#lengths }
  }

  /** What was put behind the last token, up to `end`, becomes the next one. */
  #take(end: number): void {
    const start = this.#used
    const length = end - start
    if (length > MAX_TOKEN_BYTES) {
      throw corrupt(
        this.#name,
        `token ${this.#added} is ${length} bytes long, where ${MAX_TOKEN_BYTES} are possible`,
      )
    }
    this.#used = end
    this.#lengths[this.#added++] = length
    if (length === 1 && this.#bytes[start] === 0x20) this.#hasSpace = true
  }

  /** The buffer, with room for so many bytes behind the last token. */
  #roomFor(length: number): Uint8Array {
    while (this.#used + length > this.#bytes.byteLength) this.#grow()
    return this.#bytes
  }

  #grow(): void {
    const size = this.#bytes.byteLength * 2
    if (size > MAX_VOCABULARY_BYTES) {
      throw corrupt(this.#name, `its vocabulary is longer than ${MAX_VOCABULARY_BYTES} bytes`)
    }
    const bytes = new Uint8Array(size)
    bytes.set(this.#bytes)
    this.#bytes = bytes
  }
}

/**
 * Bytes by code point in the printable form of byte-level tokenizers (GPT-2): printable Latin-1 characters stand for
 * themselves, all other bytes for the characters from U+0100 on, in order. -1 = stands for nothing.
 */
const BYTE_OF_CHARACTER = byteLevelTable()

function byteLevelTable(): Int16Array {
  // As many as two bytes of UTF-8 can stand for.
  const table = new Int16Array(0x800).fill(-1)
  let stand = 0x100
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad)
    table[printable ? byte : stand++] = byte
  }
  return table
}

const CHARACTER_OF_BYTE = Array.from({ length: 256 }, (_, byte) =>
  String.fromCharCode(BYTE_OF_CHARACTER.indexOf(byte)),
)

/** The printable form of a token's bytes: the other way of {@link decodeByteLevel}. */
export function encodeByteLevel(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += CHARACTER_OF_BYTE[byte]
  return text
}

/**
 * Bytes of a token from its printable form in UTF-8, which lies in `utf8` from `start` to `end`.
 * @param bytes where they are put, from `at` on; they are never more than those of the printable form
 * @returns where they end, or -1 when a character stands for no byte
 */
export function decodeByteLevel(
  utf8: Uint8Array,
  start: number,
  end: number,
  bytes: Uint8Array,
  at: number,
): number {
  let next = at
  for (let i = start; i < end; ) {
    let character = utf8[i++] as number
    if (character >= 0x80) {
      // All characters of the table have one or two bytes in UTF-8.
      const second = i < end ? (utf8[i++] as number) : 0
      if (character < 0xc2 || character > 0xdf || (second & 0xc0) !== 0x80) return -1
      character = ((character & 0x1f) << 6) | (second & 0x3f)
    }
    const byte = BYTE_OF_CHARACTER[character] as number
    if (byte < 0) return -1
    bytes[next++] = byte
  }
  return next
}
