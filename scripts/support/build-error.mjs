// @ts-check
/** A failure that its message explains; shown without a stack. */
export class BuildError extends Error {}
