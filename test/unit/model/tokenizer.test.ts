import { describe, expect, it } from 'vitest'
import { decodeByteLevel, endOfText, specialTokens, VocabularyPacker } from '../../../lib/model/tokenizer.ts'
import { ct2Tokens } from '../../fixtures/ct2-builder.ts'

const utf8 = (text: string) => new TextEncoder().encode(text)

/** The bytes that a printable form stands for; it lies inside of a text, and they are put into a buffer that has others. */
function decoded(printable: Uint8Array): Uint8Array | undefined {
  const text = Uint8Array.of(0x41, ...printable, 0x41)
  const bytes = new Uint8Array(100).fill(1)
  const end = decodeByteLevel(text, 1, text.length - 1, bytes, 10)
  expect([...bytes.subarray(0, 10), ...bytes.subarray(10 + printable.length)]).toEqual(
    new Array(100 - printable.length).fill(1),
  )
  return end < 0 ? undefined : bytes.subarray(10, end)
}

describe('the byte-level form', () => {
  it('stands for every byte once', () => {
    const bytes = ct2Tokens()
      .slice(0, 256)
      .map((character) => decoded(utf8(character)) as Uint8Array)
    expect(bytes.every((token) => token.length === 1)).toBe(true)
    expect(new Set(bytes.map((token) => token[0])).size).toBe(256)
  })

  it.each([
    ['Ġhello', ' hello'],
    ['Ċ', '\n'],
    ['Ã©', 'é'],
    ['', ''],
    ['!~', '!~'],
  ])('%j stands for %j', (printable, text) => {
    expect(Buffer.from(decoded(utf8(printable)) as Uint8Array).toString('utf8')).toBe(text)
  })

  it.each([
    ['a raw space', utf8('a b')],
    ['a raw newline', utf8('a\n')],
    ['a character beyond the table', utf8('ń')],
    ['a long character', utf8('€')],
    ['an emoji', utf8('🙂')],
    ['a lone continuation byte', Uint8Array.of(0x80)],
    ['a character that is cut off', Uint8Array.of(0xc4)],
    ['an overlong character', Uint8Array.of(0xc1, 0x81)],
    ['a start without continuation', Uint8Array.of(0xc4, 0x41)],
  ])('refuses %s', (_, bytes) => {
    expect(decoded(bytes)).toBeUndefined()
  })
})

describe('the special tokens', () => {
  /** Ids of whisper.cpp v1.9.1: eot, sot, translate, transcribe, solm, prev, nosp, not, beg. */
  it.each([
    [51864, [50256, 50257, 50357, 50358, 50359, 50360, 50361, 50362, 50363]],
    [51865, [50257, 50258, 50358, 50359, 50360, 50361, 50362, 50363, 50364]],
    [51866, [50257, 50258, 50359, 50360, 50361, 50362, 50363, 50364, 50365]],
  ])('of a vocabulary of %d have the ids of whisper.cpp', (size, ids) => {
    const tokens = specialTokens(size)
    const marks = ['endoftext', 'startoftranscript', 'translate', 'transcribe', 'startoflm', 'startofprev']
    marks.push('nospeech', 'notimestamps', '0.00')
    const found = marks.map((mark) => tokens.find(({ names }) => names.includes(`<|${mark}|>`))?.id)
    expect(found).toEqual(ids)
    expect(endOfText(size)).toBe(ids[0])
    // 1501 time stamps end the vocabulary.
    expect((ids.at(-1) as number) + 1501).toBe(size)
  })
})

describe('packing', () => {
  it('keeps bytes and lengths in order', () => {
    const packer = new VocabularyPacker('v', 3)
    packer.add(utf8('ab'))
    packer.add(utf8('x c'), 1, 2)
    packer.add(new Uint8Array(0))
    const { bytes, lengths } = packer.finish()
    expect(Buffer.from(bytes).toString()).toBe('ab ')
    expect([...lengths]).toEqual([2, 1, 0])
  })

  it('grows, but not without end', () => {
    const packer = new VocabularyPacker('v', 10_000)
    const token = new Uint8Array(1024)
    expect(() => {
      for (let i = 0; i < 10_000; i++) packer.add(token)
    }).toThrow(/vocabulary is longer than/)
  })

  it('insists on a token for the space', () => {
    const packer = new VocabularyPacker('v', 1)
    packer.add(utf8('  '))
    expect(() => packer.finish()).toThrow(/no token for a single space/)
  })
})
