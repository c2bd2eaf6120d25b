import type { WholeFormat } from './types.ts'

/** The result as it is. JSON has no infinity: such a figure is null. */
export const json: WholeFormat = {
  write: (result) => `${JSON.stringify(result, null, 2)}\n`,
}
