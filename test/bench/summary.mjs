/** Samples become medians, ratios to the chain, and bars that hold or not. */
import { CHAIN } from './contestants.mjs'

/** @typedef {import('./parts.mjs').Sample} Sample */

/**
 * What cranker 3.0 over ws may cost at most, as a multiple of the nginx → nginx chain.
 * @type {readonly { test: string, value: string, limit: number, text: string }[]}
 */
export const BARS = [
  { test: 'small64', value: 'cpu', limit: 1.5, text: 'CPU per small request, 64 connections' },
  { test: 'small1', value: 'cpu', limit: 2, text: 'CPU per small request, 1 connection' },
  { test: 'down', value: 'cpu', limit: 1.5, text: 'CPU per GiB down' },
  { test: 'up', value: 'cpu', limit: 2, text: 'CPU per GiB up' },
  { test: 'held', value: 'perResponse', limit: 2, text: 'RSS per held-open response' },
]
export const BAR_CONTESTANT = '3.0-ws'

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
 * Ratio to the chain, taken in each round and then the median: a slow minute is in both of its halves.
 * @param {readonly Sample[]} samples
 * @param {string} id
 * @param {string} test
 * @param {string} value
 */
export function ratio(samples, id, test, value) {
  const ratios = []
  for (const sample of samples) {
    if (sample.id !== id || sample.test !== test) continue
    const base = samples.find((other) => other.id === CHAIN && other.test === test && other.round === sample.round)
    if (base !== undefined) ratios.push(sample.values[value] / base.values[value])
  }
  return ratios.length === 0 ? undefined : median(ratios)
}

/** @param {readonly Sample[]} samples */
export function judge(samples) {
  return BARS.flatMap((bar) => {
    const measured = ratio(samples, BAR_CONTESTANT, bar.test, bar.value)
    return measured === undefined ? [] : [{ ...bar, measured, holds: measured <= bar.limit }]
  })
}
