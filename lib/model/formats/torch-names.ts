import { GgmlType } from '../plan.ts'

/** The names of Python that the pickle of a checkpoint may ask for. */
export const DICTIONARIES: ReadonlySet<string> = new Set([
  'collections.OrderedDict',
  'collections.defaultdict',
])
export const TENSOR = 'torch._utils._rebuild_tensor_v2'
/** The second one is for parameters that have attributes. */
export const PARAMETERS: ReadonlySet<string> = new Set([
  'torch._utils._rebuild_parameter',
  'torch._utils._rebuild_parameter_with_state',
])

/** Kinds of storages, and the types that are loaded. */
export const STORAGES: ReadonlyMap<string, { type: GgmlType; bytes: number } | null> = new Map([
  ['torch.FloatStorage', { type: GgmlType.F32, bytes: 4 }],
  ['torch.HalfStorage', { type: GgmlType.F16, bytes: 2 }],
  ['torch.BFloat16Storage', { type: GgmlType.BF16, bytes: 2 }],
  ...['Double', 'Long', 'Int', 'Short', 'Char', 'Byte', 'Bool'].map(
    (name) => [`torch.${name}Storage`, null] as const,
  ),
])

/** What trainings save beside weights: their values do not matter, and are not looked at. */
export const RECORDS: ReadonlySet<string> = new Set([
  'argparse.Namespace',
  'pathlib.PosixPath',
  // Protocol 2 has the names of Python 2. Numbers and containers are what a defaultdict makes of missing entries.
  ...[
    'set',
    'frozenset',
    'bytearray',
    'complex',
    'int',
    'long',
    'float',
    'str',
    'unicode',
    'list',
    'dict',
  ].flatMap((name) => [`builtins.${name}`, `__builtin__.${name}`]),
  '_codecs.encode',
  ...['core', '_core'].flatMap((core) => [
    `numpy.${core}.multiarray.scalar`,
    `numpy.${core}.multiarray._reconstruct`,
  ]),
  'numpy.dtype',
  'numpy.ndarray',
  'torch.Size',
  'torch.device',
  ...['float32', 'float16', 'bfloat16'].map((name) => `torch.${name}`),
])

export const GLOBALS: ReadonlySet<string> = new Set([
  ...DICTIONARIES,
  TENSOR,
  ...PARAMETERS,
  ...STORAGES.keys(),
  ...RECORDS,
])
