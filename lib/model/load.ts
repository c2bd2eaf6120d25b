import { addon, loadBackends } from '../backend/addon.ts'
import { toLibraryError } from '../backend/native-error.ts'
import { applyPolicy, type Choice, forWeights, withoutGpu } from '../backend/policy.ts'
import { finishTask } from '../finish-task.ts'
import { guardCallback } from '../guard-callback.ts'
import type { NativeAddon, NativeModel } from '../native.ts'
import { unlessAborted } from '../unless-aborted.ts'
import { abilitiesOf } from './abilities.ts'
import { alignmentHeadsOf } from './alignment-heads.ts'
import { closePlan, readModel, requireUnchanged } from './formats/index.ts'
import { typeName } from './ggml-types.ts'
import type { ParsedLoadOptions } from './load-options.ts'
import type { LoadedModel } from './loaded-model.ts'
import type { LocatedModel } from './locate.ts'
import { requireMemory } from './memory-guard.ts'
import { describeModel } from './parameters.ts'
import type { LoadPlan } from './plan.ts'
import { toNativePlan } from './plan-to-native.ts'
import type { ByteSource } from './source.ts'
import { storeBytes } from './store-bytes.ts'
import type { LoadProgress } from './types.ts'

/** Loads a model into this process. @internal */
export async function loadHere(
  locate: () => Promise<{ input: LocatedModel['input'] | ByteSource; name: string }>,
  options: ParsedLoadOptions,
): Promise<LoadedModel> {
  const told = guardCallback<LoadProgress>(options.onProgress, options.signal)
  const deciding = applyPolicy(options.backend, options.device, {
    onTrial: told.call,
    signal: told.signal,
    nodePath: options.nodePath,
  })
  const first = await unlessAborted(deciding, told.signal)
  const { native } = addon()
  const [{ computeThreads }, located] = await Promise.all([loadBackends(), locate()])
  options.signal?.throwIfAborted()

  const plan = await readModel(located.input, options)
  try {
    const abilities = await abilitiesOf(plan, located.name)
    const wanted = forWeights(first, typeName(plan.weightType))
    const { handle, choice } = await executeWhereItCan(native, plan, options, wanted)
    const { audioLayers, textLayers, melBins, vocabularySize } = plan.hyperparameters
    const weightBytes = handle.weightBytes
    return {
      native: handle,
      info: {
        name: located.name,
        ...describeModel(plan.hyperparameters),
        languages: abilities.languages,
        layers: { encoder: audioLayers, decoder: textLayers },
        melBins,
        format: plan.format,
        dialect: plan.dialect,
        weightType: typeName(plan.weightType),
        conversions: plan.conversions,
        fileBytes: plan.sources.reduce((sum, { size }) => sum + size, 0),
        memoryBytes: Object.values(weightBytes).reduce((sum, bytes) => sum + bytes, 0),
      },
      backend: {
        policy: options.backend,
        active: choice.active,
        device: handle.device,
        reason: choice.reason,
        message: choice.message,
        weightBytes,
      },
      setup: {
        vocabularySize,
        vocabulary: plan.vocabulary,
        abilities,
        maxThreads: computeThreads,
        concurrency: options.concurrency,
        maxStreams: options.maxStreams,
        stores: native,
      },
    }
  } finally {
    await closePlan(plan)
  }
}

/** Loads the model on the chosen device; with the policy `auto` on the CPU, with a warning, when the GPU does not take it. */
async function executeWhereItCan(
  native: NativeAddon,
  plan: LoadPlan,
  options: ParsedLoadOptions,
  choice: Choice,
): Promise<{ handle: NativeModel; choice: Choice }> {
  try {
    await requireMemory(native, plan, choice, options.flashAttention)
    return { handle: await execute(native, plan, options, choice), choice }
  } catch (error) {
    if (choice.active === 'cpu') throw error
    const failure = toLibraryError(error, {})
    const instead = withoutGpu(options.backend, failure)
    return { handle: await execute(native, plan, options, instead), choice: instead }
  }
}

/** Runs the plan on a native thread; an abort ends it within one chunk of weights. */
async function execute(
  native: NativeAddon,
  plan: LoadPlan,
  options: ParsedLoadOptions,
  { active, ordinal }: Choice,
): Promise<NativeModel> {
  const { signal, onProgress } = options
  const stores = await storeBytes(native, plan, signal)
  signal?.throwIfAborted()
  const alignmentHeads = await alignmentHeadsOf(plan)
  const task = native.loadModel(
    toNativePlan(plan, stores),
    {
      backend: active,
      device: ordinal,
      allowPartial: options.allowPartial ?? options.backend !== 'hip',
      flashAttention: options.flashAttention,
      // And one for the live transcriptions.
      alignmentHeads,
    },
    (progress) => {
      if (!signal?.aborted) onProgress?.({ stage: 'load', progress })
    },
  )
  const model = await finishTask(task, signal)
  if (!signal?.aborted) return unlessChanged(model, plan)
  await model.dispose()
  throw signal.reason
}

/** Weights of a file that was written to meanwhile are of nobody's model. */
async function unlessChanged(model: NativeModel, plan: LoadPlan): Promise<NativeModel> {
  try {
    await requireUnchanged(plan)
    return model
  } catch (error) {
    await model.dispose()
    throw error
  }
}
