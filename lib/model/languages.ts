/** ISO codes of Whisper's languages in the order of their tokens; `yue` exists since large-v3. */
const LANGUAGES: readonly string[] =
  `en zh de es ru ko fr ja pt tr pl ca nl ar sv it id hi fi vi he uk el ms cs ro da hu ta no th ur hr bg lt la mi ml cy sk te
   fa lv bn sr az sl kn et mk br eu is hy ne mn bs kk sq sw gl mr pa si km sn yo so af oc ka be tg sd gu am yi lo uz fo ht ps
   tk nn mt sa lb my bo tl mg as tt haw ln ha ba jw su yue`.split(/\s+/)

/** The languages whose tokens a vocabulary of this size has: 99, or 100 with `yue`. An English-only model has the tokens too. */
export function languageTokens(vocabularySize: number): readonly string[] {
  return LANGUAGES.slice(0, vocabularySize === 51866 ? 100 : 99)
}
