/** What all parts have in common: contestants take their turn in each round, so that a noisy minute hits everybody. */
import { startContestants } from './contestants.mjs'

/**
 * @typedef {object} Sample
 * @property {string} id contestant
 * @property {string} label
 * @property {string} test
 * @property {number} round
 * @property {Record<string, number>} values
 *
 * @typedef {object} Plan
 * @property {boolean} quick
 * @property {number} rounds
 * @property {number} seconds of each small-request run
 * @property {number} bulkMiB
 * @property {number} held
 * @property {number} idle WebSockets
 * @property {string | undefined} wrk
 * @property {(id: string) => boolean} chosen
 * @property {(line: string) => void} say
 *
 * @typedef {import('./contestants.mjs').Setting} Setting
 * @typedef {import('./contestants.mjs').Running} Running
 * @typedef {{ setting: Setting, small: number, node: number }} Origins `small`: port of the fastest origin there is
 */

/**
 * One part: starts who takes part, warms up, then rounds over tests over contestants.
 * @param {Plan} plan
 * @param {Setting} setting
 * @param {readonly string[]} ids
 * @param {(running: Running) => Promise<unknown>} warmUp
 * @param {Record<string, (running: Running) => Promise<Record<string, number>>>} tests
 */
export async function interleaved(plan, setting, ids, warmUp, tests) {
  /** @type {Sample[]} */
  const samples = []
  try {
    const running = await startContestants(ids.filter(plan.chosen), setting)
    for (const one of running) await warmUp(one)
    for (let round = 1; round <= plan.rounds; round++) {
      for (const [test, measure] of Object.entries(tests)) {
        for (const one of running) {
          const values = await measure(one)
          samples.push({ id: one.id, label: one.label, test, round, values })
          plan.say(`${round}/${plan.rounds} ${test.padEnd(12)} ${one.label.padEnd(38)} ${brief(values)}`)
        }
      }
    }
  } finally {
    await setting.processes.stop()
  }
  return samples
}

/** @param {Record<string, number>} values */
function brief(values) {
  return Object.entries(values)
    .map(([name, value]) => `${name} ${value.toPrecision(4)}`)
    .join('  ')
}
