import { deserialize, serialize } from 'node:v8'
import { describe, expect, it } from 'vitest'
import { anyModel } from '../../../lib/cli/transcribe-flags.ts'
import { WhisperHipError } from '../../../lib/errors.ts'
import { MemoryStore } from '../../../lib/isolation/memory-store.ts'
import { processNodeOptions } from '../../../lib/isolation/node-options.ts'
import { packError, unpackError } from '../../../lib/isolation/pack-error.ts'
import { parseTranscribeOptions } from '../../../lib/transcribe/options.ts'

/** As an error arrives on the other side. */
const sent = (error: unknown) => unpackError(deserialize(serialize(packError(error))))

describe('errors', () => {
  it('of this library arrive whole', () => {
    const cause = Object.assign(new Error('no such file'), {
      code: 'ENOENT',
      errno: -2,
      syscall: 'open',
      path: '/x',
    })
    const error = new WhisperHipError('ERR_MODEL_CORRUPT', 'It is damaged', {
      reason: 'OK',
      advice: ['one', 'two'],
      cause,
    })
    const arrived = sent(error)
    expect(arrived).toBeInstanceOf(WhisperHipError)
    expect({ ...arrived }).toEqual({ ...error })
    expect(arrived).toMatchObject({ message: error.message, name: error.name, stack: error.stack })
    expect(arrived.cause).toBeInstanceOf(Error)
    expect({ ...(arrived.cause as Error) }).toMatchObject({
      code: 'ENOENT',
      errno: -2,
      syscall: 'open',
      path: '/x',
    })
  })

  it('of the addon keep their code and reason', () => {
    const native = Object.assign(new Error('gone'), { code: 'ERR_CANCELLED', reason: 'CONTEXT_POISONED' })
    expect(sent(native)).toMatchObject({ message: 'gone', code: 'ERR_CANCELLED', reason: 'CONTEXT_POISONED' })
    expect(sent(native)).not.toBeInstanceOf(WhisperHipError)
    expect('reason' in sent(new WhisperHipError('ERR_INTERNAL', 'x'))).toBe(false)
  })

  it('may be anything', () => {
    expect(sent('text').message).toBe('text')
    expect(sent(undefined).message).toBe('undefined')
    expect(sent(new TypeError('t')).name).toBe('TypeError')
    expect(sent(Object.assign(new Error('f'), { code: () => {} })).message).toBe('f')
    const circle = new Error('circle')
    circle.cause = circle
    expect(sent(circle).message).toBe('circle')
  })
})

describe('options', () => {
  it.each([
    {},
    {
      patience: 2,
      seed: Number.MAX_SAFE_INTEGER,
      repetitionPenalty: 1.1,
      noRepeatNgramSize: 3,
      hallucinationSilenceThreshold: 2,
      timestamps: 'word',
      diarize: 'stereo',
    },
    { prefix: 'And so', batchSize: 64 },
  ])('%j arrive whole, numbers that JSON does not have too', (options) => {
    const tokenize = (text: string) => [...text].map((character) => character.charCodeAt(0))
    const { native } = parseTranscribeOptions(options, { ...anyModel, tokenize })
    expect(deserialize(serialize(native))).toEqual(native)
  })
})

describe('bytes that wait', () => {
  it('are a copy, and are handed over once', () => {
    const store = new MemoryStore()
    const samples = Float32Array.of(1, 2, 3)
    expect(store.append(samples.subarray(1), true)).toBe(-1)
    expect(store.append(Uint8Array.of(7), false)).toBe(-1)
    samples.fill(0)
    expect(store.byteLength).toBe(9)
    const chunks = [...store.take()]
    expect(Buffer.concat(chunks)).toEqual(
      Buffer.concat([Buffer.from(Float32Array.of(2, 3).buffer), Buffer.of(7)]),
    )
    expect([...store.take()]).toEqual([])
    expect(store.byteLength).toBe(0)
  })

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])('may not be %s', (bad) => {
    const store = new MemoryStore()
    const samples = new Float32Array(100)
    samples[42] = bad
    samples[50] = -bad
    expect(store.append(samples, true)).toBe(42)
    expect(store.byteLength).toBe(0)
    expect(store.append(samples, false)).toBe(-1)
    expect(store.append(new Int16Array(3), true)).toBe(-1)
  })
})

describe('NODE_OPTIONS', () => {
  it.each([
    ['', ''],
    ['--max-old-space-size=4096', '--max-old-space-size=4096'],
    ['--inspect', ''],
    ['--inspect-brk=0.0.0.0:9229 --use-openssl-ca', '--use-openssl-ca'],
    ['--require ./hook.js --stack-size=2000', '--stack-size=2000'],
    ['-r "./a hook.js" --import=data:x --no-warnings', '--no-warnings'],
    ['--loader ts-node/esm  --experimental-loader=x', ''],
    ['--require="a \\" b.js" --title="my app"', '--title="my app"'],
    ['--require-module', '--require-module'],
    ['--cpu-prof --cpu-prof-dir=/tmp --heap-prof', ''],
  ])('%s becomes %s', (given, kept) => {
    expect(processNodeOptions(given)).toBe(kept)
  })
})
