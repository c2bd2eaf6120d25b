// @ts-check
/**
 * The packages with a HIP module: one for each ROCm and each family of GPUs. The code of one chip has 7 MB, and a package for all of them
 * would be larger than anybody likes to install for one card. JavaScript, because the scripts that make the packages read it too.
 */

/** Versions of ROCm that there are packages for, best first. */
export const ROCM_MAJORS = /** @type {const} */ ([7, 6])

/**
 * Each family's chips that the packages have code for, and the cards that they are on.
 * @type {Record<Family, { chips: string[], cards: string }>}
 * @typedef {'cdna' | 'rdna2' | 'rdna3' | 'rdna35' | 'rdna4'} Family
 */
export const FAMILIES = {
  cdna: { chips: ['gfx908', 'gfx90a', 'gfx942', 'gfx950'], cards: 'CDNA: Instinct MI100 to MI350' },
  rdna2: {
    chips: ['gfx1030', 'gfx1031', 'gfx1032', 'gfx1034', 'gfx1035', 'gfx1036'],
    cards: 'RDNA 2: Radeon RX 6000, Radeon PRO W6000, GPUs in Ryzen 6000 and 7000',
  },
  rdna3: {
    chips: ['gfx1100', 'gfx1101', 'gfx1102', 'gfx1103'],
    cards: 'RDNA 3: Radeon RX 7000, Radeon PRO W7000, GPUs in Ryzen 7040 and 8040',
  },
  rdna35: {
    chips: ['gfx1150', 'gfx1151', 'gfx1152', 'gfx1153'],
    cards: 'RDNA 3.5: GPUs in Ryzen AI 300 and Ryzen AI Max',
  },
  rdna4: { chips: ['gfx1200', 'gfx1201'], cards: 'RDNA 4: Radeon RX 9000, Radeon AI PRO' },
}

const FAMILY_NAMES = /** @type {Family[]} */ (Object.keys(FAMILIES))

/** @param {string} name @returns {name is Family} */
export const isFamily = (name) => Object.hasOwn(FAMILIES, name)

/** @param {string} chip @returns {Family | null} null where no package has code for the chip */
export const familyOf = (chip) => FAMILY_NAMES.find((family) => FAMILIES[family].chips.includes(chip)) ?? null

/**
 * @param {string} system e.g. `linux-x64`
 * @param {number} rocm
 * @param {Family} family
 */
export const hipPackageName = (system, rocm, family) => `@whisper-hip/${system}-rocm${rocm}-${family}`

/** All of them, the best ROCm first. @param {string} system */
export const hipPackageNames = (system) =>
  ROCM_MAJORS.flatMap((rocm) => FAMILY_NAMES.map((family) => hipPackageName(system, rocm, family)))
