/**
 * For CI and health checks: exit code 0 if a model would run on the GPU, 1 with the reason and advice if it would not.
 *
 *   node examples/require-gpu.mjs
 */
import { assertGpu, backendInfo, WhisperHipError } from 'whisper-hip'

const info = await backendInfo()
try {
  assertGpu(info)
  console.log(`${info.reason}: ${info.message}`)
} catch (error) {
  if (!(error instanceof WhisperHipError)) throw error
  console.error(`${error.reason}: ${error.message}`)
  for (const advice of error.advice) console.error(`- ${advice}`)
  process.exitCode = 1
}
