import { afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type LogEntry, loadModel, setLogger } from '../../lib/index.ts'
import { buildGgml } from '../fixtures/ggml-builder.ts'
import { cpu, greedy, hum, rejection, speaking, withModel, writeTemporary } from './support.ts'

let path: string

beforeAll(() => {
  path = writeTemporary('model.bin', speaking({ script: [{ text: ' Hello.', start: 0, end: 1 }] }))
})
afterEach(() => setLogger(null))

/** Collects the log of what happens in a call. */
async function logOf(act: () => Promise<unknown>): Promise<LogEntry[]> {
  const entries: LogEntry[] = []
  setLogger((entry) => entries.push(entry))
  await act()
  setLogger(null)
  return entries
}

const load = () => withModel(path, async () => {})

describe('the log', () => {
  it('has the lines of a load, one by one', async () => {
    const entries = await logOf(load)
    const messages = entries.map(({ message }) => message)
    expect(messages.filter((message) => /loading model/.test(message))).toHaveLength(1)
    expect(messages).toContainEqual(expect.stringMatching(/n_vocab\s+= 51864/))
    for (const { level, message } of entries) {
      expect(message).toMatch(/^\S.*\S$/)
      expect(['debug', 'info', 'warn']).toContain(level)
    }
  })

  it('has no line of a job that went well', async () => {
    await withModel(path, async (model) => {
      const entries = await logOf(() => model.transcribe(hum(65), { ...greedy, beamSize: 5 }))
      expect(entries.filter(({ level }) => level === 'warn' || level === 'error')).toEqual([])
    })
  })

  it('has nothing of what happens while nobody listens', async () => {
    const entries: LogEntry[] = []
    setLogger((entry) => entries.push(entry))
    setLogger(null)
    await load()
    expect(entries).toEqual([])
  })

  it('goes to the last logger', async () => {
    const first: LogEntry[] = []
    const second: LogEntry[] = []
    setLogger((entry) => first.push(entry))
    setLogger((entry) => second.push(entry))
    await load()
    expect(first).toEqual([])
    expect(second.length).toBeGreaterThan(5)
  })

  it('may be changed, or load a model, from inside a logger', async () => {
    let inner: Promise<void> | undefined
    let lines = 0
    setLogger(() => {
      lines++
      if (inner !== undefined) return
      inner = load()
      setLogger(() => lines++)
    })
    await load()
    await inner
    expect(lines).toBeGreaterThan(10)
  })

  it('that throws disturbs nothing, and is reported once', async () => {
    const warnings: Error[] = []
    const listener = (warning: Error) => warnings.push(warning)
    process.on('warning', listener)
    setLogger(() => {
      throw new Error('mine')
    })
    await load()
    await new Promise(setImmediate)
    process.off('warning', listener)
    expect(warnings).toMatchObject([{ name: 'WhisperHipWarning', code: 'WHISPER_HIP_LOGGER' }])
  })

  it('keeps the errors of concurrent loads apart from the loads that go well', async () => {
    const bad = writeTemporary('bad.bin', buildGgml({ layers: 1 }).subarray(0, 1_000_000))
    const entries = await logOf(async () => {
      const failure = rejection(loadModel(bad, cpu))
      await Promise.all([load(), load()])
      expect(await failure).toMatchObject({ code: 'ERR_MODEL_CORRUPT' })
    })
    expect(entries.filter(({ level }) => level === 'error')).toEqual([])
    expect(entries.filter(({ message }) => /loading model/.test(message))).toHaveLength(2)
  })
})
