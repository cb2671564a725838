// From the generated status message to the plain type of domain/.
import type { InterfaceStatus, Ledger, Status } from '../domain/status';
import type { GetStatusResponse } from '../gen/tcpviewer/v1/service_pb';
import { Hook, type Ledger as WireLedger } from '../gen/tcpviewer/v1/status_pb';
import { toMilliseconds } from './convert-values';

const HOOKS: Partial<Record<Hook, InterfaceStatus['hook']>> = {
  [Hook.TCX]: 'tcx',
  [Hook.CLSACT]: 'clsact',
};

const INGRESS_HOOKS: Partial<Record<Hook, InterfaceStatus['ingressHook']>> = {
  [Hook.XDP_NATIVE]: 'XDP',
  [Hook.XDP_GENERIC]: 'generic XDP',
};

export function toStatus(message: GetStatusResponse): Status {
  const { connections, rates, resources, totals } = message;
  return {
    version: message.version,
    instance: message.instance,
    hostName: message.hostName,
    kernelRelease: message.kernelRelease,
    captureFile: message.captureFile,
    captureTimeMs: toMilliseconds(message.captureTime),
    startedAtMs: toMilliseconds(message.startedAt) ?? 0,
    nowMs: toMilliseconds(message.now) ?? 0,
    updateIntervalMs: toMilliseconds(message.updateInterval) ?? 0,
    keepClosedMs: toMilliseconds(message.keepClosed) ?? 0,
    interfaces: message.interfaces.map(({ name, hook, ingressHook, error }) => ({
      name,
      hook: HOOKS[hook] ?? 'none',
      ingressHook: INGRESS_HOOKS[ingressHook] ?? 'none',
      error,
    })),
    ledger: toLedger(message.ledger),
    connections: {
      tracked: Number(connections?.tracked ?? 0),
      capacity: Number(connections?.capacity ?? 0),
      listed: Number(connections?.listed ?? 0),
      open: Number(connections?.open ?? 0),
      openedTotal: Number(connections?.openedTotal ?? 0),
      closedTotal: Number(connections?.closedTotal ?? 0),
      resetTotal: Number(connections?.resetTotal ?? 0),
      failedTotal: Number(connections?.failedTotal ?? 0),
    },
    totals: {
      packets: Number(totals?.packets ?? 0),
      payloadBytes: Number(totals?.payloadBytes ?? 0),
      retransmissions: Number(totals?.retransmissions ?? 0),
    },
    rates: {
      packetsPerSecond: Number(rates?.packetsPerSecond ?? 0),
      payloadBytesPerSecond: Number(rates?.payloadBytesPerSecond ?? 0),
      openedPerSecond: rates?.openedPerSecond ?? 0,
    },
    resources: {
      residentBytes: Number(resources?.residentBytes ?? 0),
      kernelMapBytes: resources?.kernelMapBytes === undefined ? undefined : Number(resources.kernelMapBytes),
      cpuTimeMs: toMilliseconds(resources?.cpuTime) ?? 0,
      cpuPercent: resources?.cpuPercent,
    },
    degradations: message.degradations.map(({ feature, reason, effect }) => ({ feature, reason, effect })),
    streams: message.streams,
  };
}

function toLedger(message: WireLedger | undefined): Ledger {
  return {
    packetsSeen: Number(message?.packetsSeen ?? 0),
    packetsTracked: Number(message?.packetsTracked ?? 0),
    packetsNotIp: Number(message?.packetsNotIp ?? 0),
    packetsNotTcp: Number(message?.packetsNotTcp ?? 0),
    packetsFragment: Number(message?.packetsFragment ?? 0),
    packetsTruncated: Number(message?.packetsTruncated ?? 0),
    packetsMalformed: Number(message?.packetsMalformed ?? 0),
    packetsSeenElsewhere: Number(message?.packetsSeenElsewhere ?? 0),
    packetsTableFull: Number(message?.packetsTableFull ?? 0),
    packetsOverBudget: Number(message?.packetsOverBudget ?? 0),
    connectionEventsLost: Number(message?.connectionEventsLost ?? 0),
    packetEventsLost: Number(message?.packetEventsLost ?? 0),
    packetEvents: Number(message?.packetEvents ?? 0),
    packetEventsLeftOut: Number(message?.packetEventsLeftOut ?? 0),
    connectionEvents: Number(message?.connectionEvents ?? 0),
    connectionsGivenUp: Number(message?.connectionsGivenUp ?? 0),
    connectionsWithheld: Number(message?.connectionsWithheld ?? 0),
    failureEvents: Number(message?.failureEvents ?? 0),
    failureEventsMissed: Number((message?.failureEventsLost ?? 0n) + (message?.failureEventsWithheld ?? 0n)),
  };
}
