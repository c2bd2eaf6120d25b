import type { NativeByteStore, NativeLoadPlan } from '../native.ts'
import { ftypeOf } from './ggml-types.ts'
import type { Hyperparameters, LoadPlan } from './plan.ts'

/**
 * Translates a plan into the form that the addon takes.
 * @param stores gives the native copy of bytes in memory. Filling it takes time: do that before, in slices.
 */
export function toNativePlan(plan: LoadPlan, stores: (bytes: Uint8Array) => NativeByteStore): NativeLoadPlan {
  return {
    hyperparameters: hyperparameterArray(plan.hyperparameters, ftypeOf(plan.weightType)),
    melFilters: plan.melFilters,
    vocabularyBytes: plan.vocabulary.bytes,
    vocabularyLengths: plan.vocabulary.lengths,
    tensors: plan.tensors,
    sources: plan.sources.map(({ native }) => ('fd' in native ? native.fd : stores(native.bytes))),
  }
}

function hyperparameterArray(parameters: Hyperparameters, ftype: number): Int32Array {
  return Int32Array.of(
    parameters.vocabularySize,
    parameters.audioContext,
    parameters.audioState,
    parameters.audioHeads,
    parameters.audioLayers,
    parameters.textContext,
    parameters.textState,
    parameters.textHeads,
    parameters.textLayers,
    parameters.melBins,
    ftype,
  )
}
