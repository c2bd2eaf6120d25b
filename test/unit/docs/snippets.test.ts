import { describe, expect, it } from 'vitest'
import { extractSnippets } from '../../fixtures/snippets.ts'

describe('extractSnippets', () => {
  it('takes the tagged blocks and the output that follows them', () => {
    const page = [
      'Text.',
      '```js run',
      'one()',
      '```',
      '',
      '```text',
      'printed',
      '```',
      '```js',
      'two()',
      '```',
      '```js run cjs',
      'three()',
      '```',
      '```ts run',
      'four()',
      '```',
      '',
    ].join('\n')
    expect(extractSnippets('page.md', page)).toEqual([
      { where: 'page.md:2', extension: 'mjs', code: 'one()\n', output: ['printed'] },
      { where: 'page.md:12', extension: 'cjs', code: 'three()\n', output: [] },
      { where: 'page.md:15', extension: 'mts', code: 'four()\n', output: [] },
    ])
  })

  it('refuses a tag that would silently not run', () => {
    expect(() => extractSnippets('page.md', '```js  run\nx\n```\n')).toThrow(
      'page.md:1: unknown tag "js  run"',
    )
  })
})
