/**
 * The router and the connector that `pair.ts` and the conformance suite start: today's, or, in the vitest projects that
 * say so, those of an earlier build (see test/interop/old/).
 */
import type * as ConnectorModule from '../../connector/index.js'
import type * as RouterModule from '../../router/index.js'
import { oldBuild } from '../interop/old/build.js'

const router =
  process.env['CRANKER_TEST_ROUTER'] === 'old'
    ? ((await import(oldBuild('router'))) as typeof RouterModule)
    : await import('../../router/index.js')
const connector =
  process.env['CRANKER_TEST_CONNECTOR'] === 'old'
    ? ((await import(oldBuild('connector'))) as typeof ConnectorModule)
    : await import('../../connector/index.js')

export const { createRouter } = router
export const { createConnector } = connector
