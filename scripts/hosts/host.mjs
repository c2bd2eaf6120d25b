// @ts-check
/**
 * A program that runs, installs, bundles or tests JavaScript, and how an application uses it. The application of each is of its own, with the
 * files of application.mjs.
 *
 * @typedef {string[]} Command a program and its arguments, run in the folder of the application
 * @typedef {object} Host
 * @property {string} name
 * @property {Record<string, string>} [packages] what the application needs beside the library, by version; the host is the first
 * @property {Command} [version] prints the version of the host, where that is not that of a package
 * @property {Record<string, string>} [files] of the application, by path
 * @property {string} [setting] what docs/hosts.md tells to set, which `files` or `run` have
 * @property {Command} [install] npm's of this machine, if there is none
 * @property {Command[]} run the last one writes the answer
 * @property {(place: Place) => Promise<(command: Command, folder: string) => Command>} [enter] gives what runs each command elsewhere
 *
 * @typedef {object} Place
 * @property {string} folder has the applications and the packages of the release
 * @property {string} model
 */

/** A program that a package of npm brings. @param {string} spec @param {string} name @param {...string} args */
export const from = (spec, name, ...args) => ['npx', '--yes', `--package=${spec}`, '--', name, ...args]

/** A program of the packages of the application. @param {string} name @param {...string} args */
export const own = (name, ...args) => [`node_modules/.bin/${name}`, ...args]

export const NPM_INSTALL = ['install', '--no-audit', '--no-fund']
