import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { UsageError } from '../../../lib/cli/failures.ts'
import { listOf, numberOr, partsOf, textOrFile } from '../../../lib/cli/values.ts'

it.each<[string, unknown]>([
  ['5', 5],
  ['-1.5', -1.5],
  ['.5', 0.5],
  ['1e3', 1000],
  ['none', null],
  ['', ''],
  [' 5', ' 5'],
  ['0x10', '0x10'],
  ['Infinity', 'Infinity'],
  ['5 beams', '5 beams'],
  ['toString', 'toString'],
])('%j is read as %j', (text, value) => {
  expect(numberOr({ none: null })(text)).toBe(value)
})

it('reads lists', () => {
  expect(listOf(numberOr())('0, 0.2,x')).toEqual([0, 0.2, 'x'])
  expect(listOf(numberOr())('-1')).toEqual([-1])
})

it('reads parts of the audio', () => {
  expect(partsOf('0-30, 60.5-90,120-')).toEqual([[0, 30], [60.5, 90], [120]])
  for (const wrong of ['', '5', '-5', '0-30,', 'a-b', '1-2-3', '00:10-00:20'])
    expect(() => partsOf(wrong)).toThrow(UsageError)
})

it('reads a text out of a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'whisper hip values '))
  try {
    writeFileSync(join(folder, 'a.gbnf'), 'root ::= "yes"')
    expect(textOrFile(`@${join(folder, 'a.gbnf')}`)).toBe('root ::= "yes"')
    expect(textOrFile('root ::= "no"')).toBe('root ::= "no"')
    expect(() => textOrFile(`@${join(folder, 'none')}`)).toThrow('ENOENT')
  } finally {
    rmSync(folder, { recursive: true })
  }
})
