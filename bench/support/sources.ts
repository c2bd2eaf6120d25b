/** What the benchmarks take from the sources of the library and its tests, bundled by {@link importSources}. */
export { obtainModel } from '../../lib/model/download/index.ts'
export { generator } from '../../test/fixtures/tiny-model.ts'
export { wordErrorRate, wordsOf } from '../../test/fixtures/wer.ts'
export { programsOnStub } from '../../test/hip/kernels/programs.ts'
export { cpuModule } from '../../test/native/engine-programs.ts'
export { writeLegacyGgml } from './legacy-ggml.ts'
