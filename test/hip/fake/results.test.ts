// A GPU that computes wrongly in a job, after a trial that it passed: the GPU is the first suspect, not the model.
import { writeFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { buildSpeaking } from '../../fixtures/speaking-model.ts'
import { fakeGpu } from '../build.mjs'
import { type Observation, Scene, type Step } from '../scene.ts'

const INVALID = {
  code: 'ERR_INTERNAL',
  reason: 'GPU_RESULT_INVALID',
  message: expect.stringMatching(
    /^The GPU \(ROCm0, Fake GPU \(computes on the CPU\)\) gave values that are not numbers/,
  ),
}

/** @param fault of the program, not of the trial before it */
async function observe(
  fault: string,
  steps: (model: string) => readonly Step[],
  always = '',
): Promise<Observation> {
  using scene = new Scene({ WHISPER_HIP_LIBRARY: fakeGpu })
  const model = scene.path('multilingual.bin')
  const script = [{ text: ' Hello there.', start: 0, end: 3 }]
  writeFileSync(model, buildSpeaking({ script, audioContext: 64, layers: 2, multilingual: true }))
  return await scene.observe(steps(model), {
    WHISPER_HIP_FAKE: `${always}; after=${scene.path('tried')}; ${fault}`,
  })
}

const errorsOf = ({ came }: Observation) => came.flatMap(({ error }) => error ?? [])

describe.concurrent('values that are not numbers', () => {
  const JOBS: [string, Step][] = [
    ['greedy', ['transcribe', null, { language: 'en', beamSize: 1, temperature: 0 }]],
    ['beams', ['transcribe', null, { language: 'en', beamSize: 5, temperature: 0 }]],
    ['sampled', ['transcribe', null, { language: 'en', temperature: 0.8, bestOf: 2 }]],
    ['without timestamps', ['transcribe', null, { language: 'en', timestamps: 'none' }]],
    ['words', ['transcribe', null, { language: 'en', timestamps: 'word', beamSize: 1, temperature: 0 }]],
    ['language of a job', ['transcribe', null, { beamSize: 1, temperature: 0 }]],
    ['language', ['detect']],
    ['live', ['live', 4, { language: 'en', vad: false, sampleRate: 16_000, format: 'f32le' }]],
    ['live, with its language', ['live', 4, { vad: false, sampleRate: 16_000, format: 'f32le' }]],
  ]

  it.each(JOBS)('%s: name the GPU', async (_, job) => {
    const { came, finished } = await observe('wrong=MUL_MAT:nan', (model) => [['load', model], job])
    expect(came[0]?.value).toMatchObject({ active: 'hip' })
    expect(came[1]?.error).toMatchObject(INVALID)
    expect(finished).toBe(true)
  })

  it.each([
    'NORM',
    'ADD',
    'GELU',
    'CPY',
    'FLASH_ATTN_EXT',
    'IM2COL',
    'GET_ROWS',
    'SCALE:inf',
    'MUL_MAT:inf',
    'MUL:-inf',
  ])('wrong=%s: whatever gives them, no text is made of them', async (operation) => {
    const wrong = operation.includes(':') ? operation : `${operation}:nan`
    const observation = await observe(`wrong=${wrong}`, (model) => [
      ['load', model],
      ['transcribe', null, { language: 'en', beamSize: 1, temperature: 0 }],
    ])
    const [, job] = observation.came
    // An operation that the graphs of this model lack harms nobody.
    if (job?.error === undefined) expect(job?.value).toMatchObject({ text: 'Hello there.' })
    else expect(job.error).toMatchObject(INVALID)
  })

  it('are looked for in the attention that words are aligned by', async () => {
    const observation = await observe('wrong=SOFT_MAX:nan', (model) => [
      ['load', model],
      ['transcribe', null, { language: 'en', timestamps: 'word', beamSize: 1, temperature: 0 }],
      ['live', 4, { language: 'en', vad: false, sampleRate: 16_000, format: 'f32le' }],
    ])
    expect(errorsOf(observation)).toMatchObject([INVALID, INVALID])
  })

  it('name the GPU where it computes only a part', async () => {
    const observation = await observe(
      'wrong=MUL_MAT:nan',
      (model) => [
        ['load', model],
        ['transcribe', null, { language: 'en', beamSize: 1, temperature: 0 }],
      ],
      'unsupported=GELU',
    )
    expect(errorsOf(observation)).toMatchObject([INVALID])
  })

  it('leave the model usable, once the GPU computes rightly again', async () => {
    using scene = new Scene({ WHISPER_HIP_LIBRARY: fakeGpu })
    const script = scene.path('script')
    writeFileSync(script, `after=${scene.path('tried')}; wrong=MUL_MAT:nan; trace=${scene.path('trace')}`)
    const step: Step = ['transcribe', null, { language: 'en', beamSize: 1, temperature: 0 }]
    const observation = await scene.observe(
      [['load', scene.model], step, ['write', script, ''], step, ['assert'], ['dispose']],
      { WHISPER_HIP_FAKE: `@${script}` },
    )
    expect(observation.came[1]?.error).toMatchObject(INVALID)
    expect(observation.came[3]?.value).toMatchObject({ text: 'Hello there.', stats: { cpuNodes: 0 } })
    expect(observation.came.slice(4).flatMap(({ error }) => error ?? [])).toEqual([])
  })
})
