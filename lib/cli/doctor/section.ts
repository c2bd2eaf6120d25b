import type { Step } from './steps.ts'

/** A heading of the report and what stands below it. */
export interface Section {
  title: string
  /** The first row is the head of the table. */
  table?: readonly (readonly string[])[]
  lines?: readonly string[]
  /** What to do, in order. */
  steps?: readonly Step[]
}
