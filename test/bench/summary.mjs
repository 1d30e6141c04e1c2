/** Samples become medians, ratios to the chain, and bars that hold or not. */
import { CHAIN, TCP_CHAIN } from './contestants.mjs'
import { DELAY_MS } from './long-path.mjs'

/** @typedef {import('./rounds.mjs').Sample} Sample */

export const BAR_CONTESTANT = '3.0-ws'

/** @typedef {{ text: string, unit: string, atLeast?: true, limit: number }} Bar */

/**
 * What cranker 3.0 over ws must keep.
 * @type {readonly (Bar & { measure: (samples: readonly Sample[]) => number | undefined })[]}
 */
export const BARS = [
  { ...toChain('small64', 'cpu'), limit: 1.5, text: 'CPU per small request, 64 connections' },
  { ...toChain('small1', 'cpu'), limit: 2, text: 'CPU per small request, 1 connection' },
  { ...toChain('down', 'cpu'), limit: 1.5, text: 'CPU per GiB down' },
  { ...toChain('up', 'cpu'), limit: 2, text: 'CPU per GiB up' },
  { ...toChain('held', 'perResponse'), limit: 2, text: 'RSS per held-open response' },
  { ...toTcpChain('long-down'), atLeast: true, limit: 0.9, text: 'Rate down a long path' },
  { ...toTcpChain('long-up'), atLeast: true, limit: 0.9, text: 'Rate up a long path' },
  {
    text: 'p99 of small requests beside a download over a long path',
    unit: 'round trips',
    limit: 1.5,
    measure: (samples) => {
      const p99 = typical(samples, BAR_CONTESTANT, 'long-beside', 'p99')
      return p99 === undefined ? undefined : p99 / (2 * DELAY_MS)
    },
  },
]

/** @param {string} test @param {string} value */
function toChain(test, value) {
  const measure = (/** @type {readonly Sample[]} */ samples) => ratio(samples, BAR_CONTESTANT, test, value)
  return { unit: '× nginx → nginx', measure }
}

/** @param {string} test */
function toTcpChain(test) {
  const measure = (/** @type {readonly Sample[]} */ samples) => ratio(samples, BAR_CONTESTANT, test, 'rate', TCP_CHAIN)
  return { unit: '× TCP → TCP', measure }
}

/** @param {readonly number[]} numbers */
export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  if (sorted.length === 0) return NaN
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/**
 * Median of one value of one contestant; undefined if it was not measured.
 * @param {readonly Sample[]} samples
 * @param {string} id
 * @param {string} test
 * @param {string} value
 */
export function typical(samples, id, test, value) {
  const found = samples.filter((sample) => sample.id === id && sample.test === test)
  return found.length === 0 ? undefined : median(found.map((sample) => sample.values[value]))
}

/**
 * Ratio to a reference, taken in each round and then the median: a slow minute is in both of its halves.
 * @param {readonly Sample[]} samples
 * @param {string} id
 * @param {string} test
 * @param {string} value
 * @param {string} reference
 */
export function ratio(samples, id, test, value, reference = CHAIN) {
  const ratios = []
  for (const sample of samples) {
    if (sample.id !== id || sample.test !== test) continue
    const base = samples.find((other) => other.id === reference && other.test === test && other.round === sample.round)
    if (base !== undefined) ratios.push(sample.values[value] / base.values[value])
  }
  return ratios.length === 0 ? undefined : median(ratios)
}

/** @param {readonly Sample[]} samples */
export function judge(samples) {
  return BARS.flatMap((bar) => {
    const measured = bar.measure(samples)
    if (measured === undefined) return []
    return [{ ...bar, measured, holds: bar.atLeast ? measured >= bar.limit : measured <= bar.limit }]
  })
}
