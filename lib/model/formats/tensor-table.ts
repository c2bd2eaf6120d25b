import type { Hyperparameters } from '../plan.ts'
import type { StoredTensor } from '../stored-tensor.ts'

/** A tensor in a file of its own kind. */
export type FileTensor = Omit<StoredTensor, 'source'>

/** What a file of named tensors holds. */
export interface TensorTable {
  /** By the names in the file. */
  tensors: ReadonlyMap<string, FileTensor>
  /** Whose naming they had, where that is not seen in the names. */
  writer?: string
  /** What the file says of the model beside them. */
  dimensions?: Partial<Hyperparameters>
}
