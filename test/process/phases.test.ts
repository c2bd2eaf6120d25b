import { beforeAll, describe, expect, it } from 'vitest'
import { makeMaterials, runChild } from './child.ts'

beforeAll(makeMaterials)

/** What the process itself says of its end is all that there is to read. */
function expectQuiet(stderr: string): void {
  expect(stderr).not.toMatch(/ggml|whisper_|assert|terminate called|fatal|segmentation/i)
}

describe.each(['loading', 'decoding audio', 'encoding', 'decoding text', 'hearing live audio', 'disposing'])(
  'while %s',
  (phase) => {
    it.each([
      ['exit', 7],
      ['throw', 1],
      ['reject', 1],
    ])('%s ends with code %d', async (action, code) => {
      const { seconds, stderr, ...ended } = await runChild('phases.cjs', [phase, action])
      expect(ended).toEqual({ code, signal: null, stdout: 'now\n' })
      expect(seconds).toBeLessThan(5)
      expectQuiet(stderr)
      if (action === 'exit') expect(stderr).toBe('')
      else expect(stderr).toContain('mine')
    })

    it.each(['SIGINT', 'SIGTERM'] as const)('%s ends it, and its handler can', async (signal) => {
      const killed = await runChild('phases.cjs', [phase, signal], { signal })
      expect(killed).toMatchObject({ code: null, signal, stderr: '' })
      const handled = await runChild('phases.cjs', [phase, `${signal} handled`], { signal })
      expect(handled).toMatchObject({ code: 42, signal: null, stderr: '' })
      expect(Math.max(killed.seconds, handled.seconds)).toBeLessThan(5)
    })
  },
)

describe('an exit in the middle of a graph', () => {
  it.each([0, 1, 2, 3, 5, 8, 13, 21, 34, 55])(
    '(%d ms later) destroys nothing that is in use',
    async (delay) => {
      const env = { DELAY: String(delay) }
      const ended = await runChild('phases.cjs', ['decoding text', 'exit'], { env })
      expect(ended).toMatchObject({ code: 7, signal: null, stderr: '' })
    },
  )
})

describe('a worker', () => {
  const phases = ['loading', 'decoding audio', 'encoding', 'decoding text', 'hearing live audio', 'idle']

  it('can be terminated in each phase, many times, and leaves nothing', async () => {
    const often = [...phases, 'decoding text', 'decoding text', 'decoding text', 'loading', 'decoding text']
    const { stdout, ...ended } = await runChild('terminate.cjs', often)
    expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' })
    const lines = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
    expect(lines.map(({ phase }) => phase)).toEqual(often)
    for (const { counters, milliseconds } of lines) {
      expect(counters).toEqual({ models: 0, tasks: 0, byteStores: 0 })
      expect(milliseconds).toBeLessThan(5000)
    }
  })

  describe.each(phases)('while %s', (phase) => {
    it.each([
      ['exit', 7],
      ['throw', 1],
      ['terminate', 0],
    ])('goes with the main thread (%s)', async (action, code) => {
      const ended = await runChild('main-leaves.cjs', [phase, action])
      expect(ended).toMatchObject({ code, signal: null })
      expect(ended.seconds).toBeLessThan(5)
      expectQuiet(ended.stderr)
    })
  })
})
