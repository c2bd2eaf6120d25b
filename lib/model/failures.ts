import { WhisperHipError } from '../errors.ts'

/** The file contradicts itself or ends too early. */
export function corrupt(name: string, problem: string, cause?: unknown): WhisperHipError {
  return new WhisperHipError('ERR_MODEL_CORRUPT', `The model '${name}' is damaged: ${problem}`, {
    advice: ['Fetch or convert the model again, and compare its checksum with the published one'],
    cause,
  })
}

/** The file is sound, but this version cannot run it. */
export function unsupported(name: string, problem: string, advice: readonly string[] = []): WhisperHipError {
  return new WhisperHipError('ERR_MODEL_UNSUPPORTED', `The model '${name}' cannot be used: ${problem}`, {
    advice,
  })
}

/** There is something else than a model. `found` completes the sentence "it is …". */
export function notAModel(name: string, found: string, advice: readonly string[] = []): WhisperHipError {
  return new WhisperHipError('ERR_MODEL_FORMAT', `Expected a Whisper model at '${name}' but it is ${found}`, {
    advice,
  })
}

/** A text from a file as it may appear in a message: quoted, printable, short. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text)
}
