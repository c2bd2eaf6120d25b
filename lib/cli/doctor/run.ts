import {
  type BackendInfo,
  type BackendReason,
  type ListedModel,
  type LoadOptions,
  listModels,
  loadModel,
  type RunStats,
  type TranscriptionResult,
  WhisperHipError,
} from '../../index.ts'
import { showLoading } from '../load-progress.ts'
import type { Progress } from '../progress.ts'
import { align, type Comparison, compareTexts } from './compare-words.ts'

/** A recording transcribed on the GPU and on the CPU, and what came of it. */
export interface Run {
  /** The GPU computed all of it, and the text is that of the CPU, but for rounding. */
  works: boolean
  /** One sentence. */
  message: string
  /** What was wrong on the GPU, or null. */
  problem: { code: string | null; reason: string | null; message: string; advice: readonly string[] } | null
  recording: string | null
  model: { name: string; parameters: number; weightType: string; weightBytes: number } | null
  gpu: Half | null
  cpu: Half | null
  comparison: (Comparison & { probabilityDifference: number | null }) | null
}

/** What came of one of the two. */
export interface Half {
  text: string
  stats: RunStats
  /** Where the weights lay: bytes by the name of the memory. */
  weightBytes: Readonly<Record<string, number>>
}

export interface RunRequest {
  /** Catalogue name, path or URL; by default the smallest in the cache, else `base`. */
  model: string | undefined
  recording: string
  /** Of the speech, where it is known. */
  language: string | undefined
  progress: Progress
  signal: AbortSignal
}

/** A run that cannot be, and why. */
export function impossible({ reason, message, advice }: BackendInfo): Run {
  return {
    works: false,
    message: 'Nothing was transcribed: the GPU cannot be used',
    problem: { code: 'ERR_BACKEND_UNAVAILABLE', reason, message, advice },
    recording: null,
    model: null,
    gpu: null,
    cpu: null,
    comparison: null,
  }
}

/**
 * Transcribes on the CPU and then on the GPU. What fails on the CPU is no fault of the GPU, and rejects.
 * The GPU works in a process of its own, since it may end the process that uses it.
 */
export async function runOnBoth(request: RunRequest): Promise<Run> {
  const model = request.model ?? (await smallestModel())
  const right = await transcribeOn('CPU', { backend: 'cpu' }, model, request)
  const { recording } = request
  const known = { recording, model: right.model, cpu: right.half }
  let ours: Transcribed
  try {
    ours = await transcribeOn('GPU', { backend: 'hip', isolation: 'process' }, model, request)
  } catch (error) {
    if (request.signal.aborted || !(error instanceof WhisperHipError)) throw error
    const { code, reason = null, message, advice } = error
    const problem = { code, reason, message, advice }
    return { ...known, works: false, message: 'The GPU failed', problem, gpu: null, comparison: null }
  }
  const comparison = {
    ...compareTexts(ours.half.text, right.half.text),
    probabilityDifference: probabilityDifference(ours.result, right.result),
  }
  return { ...known, gpu: ours.half, comparison, ...judge(ours.half, right.half, comparison) }
}

async function smallestModel(): Promise<string> {
  const isThere = ({ path }: ListedModel) => path !== null
  const models = (await listModels()).filter(isThere).sort((a, b) => a.bytes - b.bytes)
  return models[0]?.name ?? 'base'
}

interface Transcribed {
  half: Half
  result: TranscriptionResult
  model: Run['model']
}

async function transcribeOn(
  where: 'CPU' | 'GPU',
  options: LoadOptions,
  input: string,
  { recording, language, progress, signal }: RunRequest,
): Promise<Transcribed> {
  try {
    const model = await loadModel(input, { ...options, signal, onProgress: showLoading(progress, input) })
    try {
      const result = await model.transcribe(recording, {
        ...(language === undefined ? {} : { language }),
        // Warmer attempts draw words by lot.
        temperature: 0,
        signal,
        onProgress: (fraction) => progress.show(`Transcribing on the ${where}`, fraction),
      })
      const { name, parameters, weightType, memoryBytes } = model.info
      const { weightBytes } = model.backend
      return {
        half: { text: result.text.trim(), stats: result.stats, weightBytes },
        result,
        model: { name, parameters, weightType, weightBytes: memoryBytes },
      }
    } finally {
      await model.dispose()
    }
  } finally {
    progress.clear()
  }
}

type Judgement = Pick<Run, 'works' | 'message' | 'problem'>

const OTHER_RECORDING = ['Name a recording of speech with --audio']

/** With `backend: 'hip'` all nodes ran on the GPU, or the run has failed. */
function judge(ours: Half, right: Half, { verdict, wordErrorRate }: Comparison): Judgement {
  const wrong = (reason: BackendReason, message: string, advice: readonly string[]): Judgement => ({
    works: false,
    message,
    problem: { code: null, reason, message, advice },
  })
  if (right.text === '' && ours.text === '')
    return wrong('NO_GPU_WORK_DONE', 'There was no speech to compare', OTHER_RECORDING)
  if (verdict !== 'different')
    return {
      works: true,
      message: `The GPU and the CPU wrote ${verdict === 'same' ? 'the same' : 'nearly the same'} text`,
      problem: null,
    }
  const message =
    ours.text === ''
      ? 'The GPU wrote nothing where the CPU wrote a text'
      : `The GPU wrote another text than the CPU: ${(100 * wordErrorRate).toFixed(0)} % of the words differ`
  return wrong('NUMERIC_MISMATCH', message, [
    'Try the GPU again: npx whisper-hip doctor --run --refresh',
    "Until it is right, load models with { backend: 'cpu' }",
  ])
}

/** Mean of the tokens that both chose, in the same place. Null where there are none. */
function probabilityDifference(ours: TranscriptionResult, right: TranscriptionResult): number | null {
  const tokens = ({ segments }: TranscriptionResult) => segments.flatMap(({ tokens }) => tokens)
  const pairs = align(tokens(ours), tokens(right), (a, b) => a.id === b.id)
  const differences = pairs.flatMap(([a, b]) =>
    a === null || b === null || a.id !== b.id ? [] : [Math.abs(a.probability - b.probability)],
  )
  return differences.length === 0
    ? null
    : differences.reduce((sum, difference) => sum + difference) / differences.length
}
