import { beforeAll, describe, expect, it } from 'vitest'
import { obtainModel } from '../../lib/model/download/index.ts'
import { allSnippets, runSnippet } from '../fixtures/snippets.ts'

// The programs of the pages look for it in the cache.
beforeAll(() => obtainModel('base'))

describe('the snippets of the documentation', () => {
  const snippets = allSnippets()

  it('are found', () => {
    expect(new Set(snippets.map(({ where }) => where.split(':')[0]))).toContain('README.md')
  })

  it.each(snippets)('$where runs', async (snippet) => {
    const { code, stdout, stderr } = await runSnippet(snippet)
    expect({ code, stderr: withoutWarning(stderr) }).toEqual({ code: 0, stderr: '' })
    for (const line of snippet.output) expect(stdout.split('\n')).toContain(line)
  })
})

/** The one warning that a machine without a usable GPU gives. */
function withoutWarning(stderr: string): string {
  return stderr.replace(/^\(node:\d+\) \[WHISPER_HIP_CPU\].*\n\(Use `node --trace-warnings.*\n/m, '')
}
