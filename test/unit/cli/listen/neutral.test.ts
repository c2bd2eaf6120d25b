import { describe, expect, it } from 'vitest'
import { neutral, neutralJson } from '../../../../lib/cli/listen/neutral.ts'

describe('text for a terminal', () => {
  it.each([
    ['a\x1b[31mred\x1b[0m word', 'ared word'],
    ['\x1b]0;title\x07text', 'text'],
    ['\x1b]8;;https://example.com\x1b\\link\x1b]8;;\x1b\\', 'link'],
    ['clear\x1b[2J\x1b[Hscreen', 'clearscreen'],
    ['\x9b31mC1', 'C1'],
    ['a\r\nb\tc\0d\x7fe\x85f\u2028g', 'a b c d e f g'],
    [' keeps  one space ', ' keeps one space '],
    ['\u202egnp.exe\u202c\u2067x\u2069', 'gnp.exex'],
    ['👩‍👩‍👧 e\u0301 می‌خواهم', '👩‍👩‍👧 e\u0301 می‌خواهم'],
  ])('%j becomes %j', (text, expected) => {
    expect(neutral(text)).toBe(expected)
  })

  it('never has a character that controls a terminal', () => {
    const all = String.fromCharCode(...Array.from({ length: 0x2100 }, (_, i) => i))
    expect(neutral(`${all}\x1b`)).not.toMatch(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u)
  })
})

it('JSON for a terminal says the same on one line, without such characters', () => {
  const value = { text: `\x1b[2J\x9b2J\x7f\u2028\n\u202e"é 日本` }
  const line = neutralJson(value)
  expect(line).not.toMatch(/[\p{Cc}\u2028\u202e]/u)
  expect(JSON.parse(line)).toEqual(value)
})
