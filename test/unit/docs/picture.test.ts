import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { packageRoot } from '../../../lib/backend/package-root.ts'
import { picture } from '../../../scripts/picture.mjs'

/** Contents of the elements `text`, without references to characters. */
const textsOf = (svg: string) =>
  [...svg.matchAll(/<text [^>]*>([^<]*)<\/text>/g)].map(([, text = '']) =>
    text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&'),
  )

describe('the picture of the README', () => {
  const svg = readFileSync(join(packageRoot(), 'docs/terminal.svg'), 'utf8')

  it('is an image with the commands and what they print, and runs nothing', () => {
    const texts = textsOf(svg)
    expect(texts).toContain('$ npx whisper-hip doctor')
    expect(texts.join(' ')).toMatch(/ask not what .*your country/)
    expect(svg).not.toMatch(/<(script|image|foreignObject)|href=|url\(/)
    expect(readFileSync(join(packageRoot(), 'README.md'), 'utf8')).toContain('docs/terminal.svg')
  })

  it('has no line that is wider than the terminal', () => {
    for (const text of textsOf(svg)) expect(text.length).toBeLessThanOrEqual(84)
  })

  it('shows text as it is', () => {
    const svg = picture([{ command: 'a <b> & c', output: '1 --> 2\n\nTitle\n  below' }])
    expect(textsOf(svg)).toEqual(['$ a <b> & c', '1 --> 2', 'Title', '  below'])
    expect(svg).toContain('<text class="title" x="16" y="101">Title</text>')
  })
})
