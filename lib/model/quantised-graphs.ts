import { opendir } from 'node:fs/promises'
import type { WhisperHipError } from '../errors.ts'
import { unsupported } from './failures.ts'

/** As exports for browsers name them. */
const QUANTISED = /^(?:en|de)coder_model(?:_merged)?_(?:quantized|u?int8|q\d\w*|bnb4)\.onnx$/
/** Only the start of a folder is looked at: it can have any number of entries. */
const MOST_ENTRIES = 1000

/** The name of a graph in a folder whose weights are quantised, if there is one. */
export async function quantisedGraph(folder: string): Promise<string | undefined> {
  let left = MOST_ENTRIES
  for await (const { name } of await opendir(folder)) {
    if (QUANTISED.test(name)) return name
    if (--left === 0) break
  }
  return undefined
}

/** A folder that has no other graphs than quantised ones. */
export function quantisedOnly(folder: string, graph: string): WhisperHipError {
  return unsupported(folder, `its graphs are quantised by another library (${graph})`, [
    'Fetch encoder_model.onnx and decoder_model_merged.onnx, or those that end in _fp16; the option weightType quantises while loading',
  ])
}
