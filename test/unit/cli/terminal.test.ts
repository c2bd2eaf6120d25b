import { describe, expect, it } from 'vitest'
import { showLoading } from '../../../lib/cli/load-progress.ts'
import { Progress } from '../../../lib/cli/progress.ts'
import { styleFor } from '../../../lib/cli/style.ts'
import { table } from '../../../lib/cli/table.ts'

function fakeTerminal(isTTY: boolean, columns = 80) {
  const written: string[] = []
  return { isTTY, columns, written, write: (text: string) => written.push(text) }
}

describe('the bar', () => {
  it('is drawn on a terminal, and taken away', () => {
    const terminal = fakeTerminal(true)
    const progress = new Progress(terminal)
    progress.show('Loading base', 0.5, '7 MB')
    expect(terminal.written).toEqual([`\r\x1b[KLoading base [${'#'.repeat(12)}${'-'.repeat(12)}]  50 % 7 MB`])
    progress.clear()
    progress.clear()
    expect(terminal.written.slice(1)).toEqual(['\r\x1b[K'])
  })

  it('is drawn nowhere else', () => {
    const terminal = fakeTerminal(false)
    const progress = new Progress(terminal)
    progress.show('Loading base', 0.5)
    progress.clear()
    expect(terminal.written).toEqual([])
  })

  it('is not drawn for each little step, and never misses the end', () => {
    const terminal = fakeTerminal(true)
    const progress = new Progress(terminal)
    for (let i = 0; i <= 10_000; i++) progress.show('x', i / 10_000)
    expect(terminal.written.length).toBeLessThan(100)
    expect(terminal.written.at(-1)).toContain('100 %')
  })

  it('never wraps, and does not promise 100 % too early', () => {
    const terminal = fakeTerminal(true, 20)
    new Progress(terminal).show('a long name of a recording', 0.5)
    expect(terminal.written[0]).toHaveLength('\r\x1b[K'.length + 19)
    const wide = fakeTerminal(true)
    new Progress(wide).show('x', 0.999)
    expect(wide.written[0]).toContain(' 99 %')
  })

  it('is drawn on a terminal that does not know its size', () => {
    const terminal = fakeTerminal(true, 0)
    new Progress(terminal).show('x', 0.5)
    expect(terminal.written[0]).toContain('50 %')
  })

  it('shows what has no known end', () => {
    const terminal = fakeTerminal(true)
    new Progress(terminal).show('x', null, '7 MB')
    expect(terminal.written[0]).toBe('\r\x1b[Kx … 7 MB')
  })
})

describe('the loading of a model', () => {
  it('shows each step of the trial of a GPU, since it may be the one that hangs', () => {
    const terminal = fakeTerminal(true)
    const tell = showLoading(new Progress(terminal), 'base')
    const trial = { stage: 'trial', gpu: 'Radeon (0000:03:00.0)' } as const
    for (const step of ['start', 'add', 'mul_mat f16']) tell({ ...trial, progress: 0, step })
    expect(terminal.written.at(-1)).toBe('\r\x1b[KTrying Radeon (0000:03:00.0) … mul_mat f16')
    tell({ ...trial, progress: 1, step: 'release' })
    expect(terminal.written.at(-1)).toBe('\r\x1b[K')
    tell({ stage: 'load', progress: 0.5 })
    expect(terminal.written.at(-1)).toContain('Loading base')
  })
})

describe('colours', () => {
  it.each<[boolean, NodeJS.ProcessEnv, boolean]>([
    [true, {}, true],
    [true, { NO_COLOR: '' }, true],
    [true, { NO_COLOR: '1' }, false],
    [true, { TERM: 'dumb' }, false],
    [false, {}, false],
  ])('terminal %s with %j: %s', (isTTY, environment, coloured) => {
    expect(styleFor({ isTTY }, environment)('red', 'x')).toBe(coloured ? '\x1b[31mx\x1b[0m' : 'x')
  })
})

it('aligns tables', () => {
  expect(
    table([
      ['a', 'long', ''],
      ['longer', 'b', 'c'],
    ]),
  ).toEqual(['a       long', 'longer  b     c'])
})
