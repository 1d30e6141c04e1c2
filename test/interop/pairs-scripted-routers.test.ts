/** Stand-ins for the routers that cannot be installed by name, with our connector. */
import { scriptedRouters } from '../support/peers/index.js'
import { routerColumns } from './columns.js'
import { describeColumns } from './suite.js'

describeColumns(routerColumns(scriptedRouters))
