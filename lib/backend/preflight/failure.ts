/** An error number such as `EACCES`, where a file could not be read. */
export interface Failure {
  errno: string
}

export function isFailure(value: unknown): value is Failure {
  return typeof value === 'object' && value !== null && 'errno' in value
}
