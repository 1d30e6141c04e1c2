import { describe, expect, it } from 'vitest'
import { type Case, type CaseContext, check, NotApplicable } from '../../../check/case.js'
import type { KnownPeer } from '../../../check/like.js'
import { type CheckResult, type Harness, type RunOptions, runCases } from '../../../check/runner.js'

const harness: Harness<CaseContext> = {
  versions: ['3.0'],
  open: (base) => Promise.resolve(base),
  close: () => Promise.resolve(),
}

const one = (id: string, run: () => void, rest: Partial<Case> = {}): Case => ({
  id,
  title: `does ${id}`,
  section: '1',
  versions: ['3.0', '1.0'],
  run: () => Promise.resolve().then(run),
  ...rest,
})
const passes = (): void => undefined
const fails = (): void => check(false, 'this', 'that')
const like: KnownPeer = {
  title: 'a peer',
  role: 'router',
  deviations: { 'A.1': 'as ever', 'A.2@1.0': 'only there' },
  sometimes: { 'A.3': 'by chance' },
}

async function outcomes(cases: readonly Case[], options: Partial<RunOptions> = {}): Promise<string[]> {
  const results: CheckResult[] = []
  await runCases(cases, harness, {
    versions: ['3.0'],
    timeout: 1_000,
    onResult: (result) => results.push(result),
    ...options,
  })
  return results.map(({ id, outcome }) => `${id} ${outcome}`)
}

describe('a run of cases', () => {
  it('tells what passed from what failed, could not be tried, or is only recommended', async () => {
    const cases = [
      one('A.1', passes),
      one('A.2', fails),
      one('A.3', fails, { level: 'should' }),
      one('A.4', () => {
        throw new NotApplicable('not announced')
      }),
    ]
    expect(await outcomes(cases)).toEqual(['A.1 pass', 'A.2 fail', 'A.3 advice', 'A.4 skip'])
    expect(await outcomes(cases, { strict: true })).toContain('A.3 fail')
    expect(await outcomes(cases, { only: ['A.1'] })).toEqual(['A.1 pass'])
    expect(await outcomes(cases, { versions: ['1.0'] })).toEqual(['A.1 skip', 'A.2 skip', 'A.3 skip', 'A.4 skip'])
  })

  it('with a known peer takes its deviations for known, and what it does better for a surprise', async () => {
    expect(await outcomes([one('A.1', fails), one('A.2', fails)], { like })).toEqual(['A.1 known', 'A.2 fail'])
    expect(await outcomes([one('A.1', passes), one('A.2', passes)], { like })).toEqual(['A.1 surprise', 'A.2 pass'])
  })

  it('lets pass and lets fail what a known peer does by chance', async () => {
    expect(await outcomes([one('A.3', fails)], { like })).toEqual(['A.3 known'])
    expect(await outcomes([one('A.3', passes)], { like })).toEqual(['A.3 pass'])
  })
})
