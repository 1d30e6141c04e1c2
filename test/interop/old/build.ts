/** An earlier build of ours, kept beside this file: what `npm pack` made at that commit, without its documentation. */
import { basename } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const NAME = 'cranker-0.1.0-e2a0c02'

export const archive = fileURLToPath(new URL(`${NAME}.tgz`, import.meta.url))

/** Where it is unpacked: inside the project, so that it finds its dependencies in node_modules. */
export const unpacked = fileURLToPath(new URL(`../../../.interop/${basename(archive, '.tgz')}/`, import.meta.url))

/** The URL of one side's entry. */
export function oldBuild(side: 'router' | 'connector'): string {
  return pathToFileURL(`${unpacked}package/dist/${side}/index.js`).href
}
