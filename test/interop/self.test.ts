/** Our router with our connector: whatever fails here is no foreign peer's fault. */
import { versions } from '../support/pair.js'
import type { Column } from './columns.js'
import { ourConnector, ourRouter } from './peers/ours.js'
import { describeColumns } from './suite.js'

describeColumns(
  versions.map((version): Column => {
    const peer = ourConnector
    return { side: 'connector', peer, over: version, router: ourRouter, connector: peer, protocols: [version] }
  }),
)
