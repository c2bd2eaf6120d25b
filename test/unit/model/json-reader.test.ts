import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { WhisperHipError } from '../../../lib/errors.ts'
import { JsonReader } from '../../../lib/model/json-reader.ts'
import { Pacer } from '../../../lib/pacer.ts'

const reader = (text: string) => new JsonReader(new TextEncoder().encode(text), 'file.json')

function strings(json: string): string[] {
  const list = reader(json)
  const found: string[] = []
  list.open('[')
  while (list.more()) found.push(list.string())
  list.finish()
  return found
}

describe('JsonReader', () => {
  it('reads what JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme' })), fc.boolean(), (values, indent) => {
        expect(strings(JSON.stringify(values, null, indent ? 2 : 0))).toEqual(values)
      }),
    )
  })

  it('passes over any value', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (value) => {
        const json = reader(JSON.stringify([value, 'end'], null, 1))
        json.open('[')
        json.more()
        await json.skip(new Pacer())
        expect(json.more()).toBe(true)
        expect(json.string()).toBe('end')
        expect(json.more()).toBe(false)
        json.finish()
      }),
    )
  })

  it('reads objects', () => {
    const json = reader(' { "a" : 12 , "b\\u0120" : 999999999 } ')
    json.open('{')
    expect(json.more() && json.key()).toBe('a')
    expect(json.integer()).toBe(12)
    expect(json.more() && json.key()).toBe('bĠ')
    expect(json.integer()).toBe(999999999)
    expect(json.more()).toBe(false)
    json.finish()
  })

  it.each([
    ['', "is not '['"],
    ['{', "is not '['"],
    ['[', 'is not a string'],
    ['["a"', "is not ','"],
    ['["a",]', 'is not a string'],
    ['["a" "b"]', "is not ','"],
    ['["a', 'is not the end of a string'],
    ['["a\\', 'is not the end of a string'],
    ['["\\x"]', 'is not a well-formed string'],
    ['[1]', 'is not a string'],
    ['[] x', 'is not the end'],
    [`["${'a'.repeat(70_000)}"]`, 'is not a string of at most'],
  ])('refuses %j', (json, message) => {
    expect(() => strings(json)).toThrow(WhisperHipError)
    expect(() => strings(json)).toThrow(message)
  })

  it.each(['-1', '1.5', '1e3', '1234567890', '"1"', 'x'])('refuses %s for an integer', (json) => {
    const list = reader(`[${json}]`)
    list.open('[')
    list.more()
    expect(() => {
      list.integer()
      list.more()
    }).toThrow(WhisperHipError)
  })

  it('limits nesting', () => {
    const deep = reader('['.repeat(100))
    expect(() => {
      for (let i = 0; i < 100; i++) deep.open('[')
    }).toThrow('is not nested less deeply')
  })
})
