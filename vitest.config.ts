import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config'
import { newSuites, type OldSide } from './test/interop/old/expected.js'

/** With other programs than ours, and about them. */
const PEERS = ['test/interop/**/*.test.ts', 'test/conformance-kit/**/*.test.ts']

/** The conformance suite with one side from an earlier build: any order of upgrades works. */
function withOld(side: OldSide): TestProjectInlineConfiguration {
  return {
    extends: true,
    test: {
      name: `old ${side}`,
      include: ['test/conformance/**/*.test.ts', 'test/interop/old/*.test.ts'],
      exclude: newSuites[side].map((name) => `test/conformance/${name}`),
      env: { [`CRANKER_TEST_${side.toUpperCase()}`]: 'old' },
      globalSetup: 'test/interop/old/unpack.ts',
      setupFiles: 'test/interop/old/expect.ts',
    },
  }
}

export default defineConfig({
  test: {
    testTimeout: 20_000,
    hookTimeout: 20_000,
    maxWorkers: 2,
    projects: [
      {
        extends: true,
        test: { name: 'current', include: ['test/**/*.test.ts'], exclude: [...PEERS, 'test/interop/old/*.test.ts'] },
      },
      {
        extends: true,
        test: {
          name: 'peers',
          include: PEERS,
          exclude: ['test/interop/old/*.test.ts'],
          // Mostly they wait for each other: for what must not come, and what comes late.
          maxWorkers: 5,
          sequence: { groupOrder: 1 },
        },
      },
      withOld('router'),
      withOld('connector'),
    ],
  },
})
