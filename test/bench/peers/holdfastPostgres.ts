/** This library on PostgreSQL. Half of the connections write, half of them read; the one that listens is beside them. */
import * as ManyHosts from "../../../src/host/ManyHosts.ts"
import { engines, openOn } from "./holdfast.ts"
import type { PeerModule } from "./Peer.ts"

/** Opens the database. */
export const open: PeerModule["open"] = ({ url, pool }) =>
  openOn(ManyHosts.layerPostgres({ url, engines, connections: Math.max(1, Math.floor(pool / 2)) }))
