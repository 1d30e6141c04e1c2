/** A vitest setup file: turns the result of tests that the earlier build is known to fail. */
import { beforeEach } from 'vitest'
import { expectedFailures } from './expected.js'

const old = process.env['CRANKER_TEST_ROUTER'] === 'old' ? 'router' : 'connector'

beforeEach(({ task }) => {
  const expected = expectedFailures.some((one) => one.old === old && one.test.test(task.fullTestName))
  // The runner reads it when the test has ended.
  if (expected) Object.assign(task, { fails: true })
})
