import { beforeAll, describe, expect, it } from 'vitest'
import { material } from '../fixtures/material.ts'
import { makeMaterials, runChild } from './child.ts'

let recording: string
beforeAll(async () => {
  makeMaterials()
  recording = await material('jfk.wav')
})

/** What a scene of children/live.cjs tells. */
async function play(scene: string) {
  const options = { nodeArgs: ['--expose-gc'], env: { RECORDING: recording }, patience: 110 }
  const { stdout, ...ended } = await runChild('live.cjs', [scene], options)
  expect(ended).toMatchObject({ code: 0, signal: null, stderr: '' })
  return { ...ended, told: JSON.parse(stdout) }
}

const MB = 2 ** 20

describe('the process', () => {
  it('ends when the last final is there, though nobody reads it', async () => {
    const { told, seconds } = await play('nobody reads')
    expect(told).toEqual({ finished: true })
    expect(seconds).toBeLessThan(20)
  })

  it('does not wait for a stream that is left open', async () => {
    const { told, seconds } = await play('left open')
    expect(told).toEqual({ open: true })
    expect(seconds).toBeLessThan(20)
  })
})

describe('memory', () => {
  it('stays as it is for ten minutes of speech, pauses and noise', async () => {
    const { told } = await play('ten minutes')
    expect(told.final).toBeGreaterThan(80)
    expect(told.partial).toBeGreaterThan(80)
    // The allocator takes some at first, and the first window its inputs: 1 MB of mel, here and on the device.
    for (const bytes of told.growth) expect(bytes).toBeLessThan(12 * MB)
    expect(told.growth.at(-1) - told.growth[1]).toBeLessThan(2 * MB)
  })

  it('has room for the finals of twelve minutes that nobody reads, and then they are read', async () => {
    const { told } = await play('slow reader')
    expect(told.final).toBeGreaterThan(140)
    expect(told).toMatchObject({
      inOrder: true,
      'speech-start': told.final,
      'speech-end': told.final,
      stats: 1,
    })
    expect(told.partial).toBeLessThanOrEqual(told.final)
    // The allocator keeps some; the audio of these minutes would be 90 MB.
    expect(told.grown).toBeLessThan(32 * MB)
  })

  it('of 50 streams that were opened and dropped comes back', async () => {
    const { told } = await play('dropped')
    expect(told.collected).toBe(200)
    expect(told.counters).toMatchObject({ tasks: 0, byteStores: 0 })
    for (const bytes of told.growth.slice(2)) expect(bytes).toBeLessThan(8 * MB)
  })
})
