// From the generated listener to the plain type of domain/.
import type { Listener } from '../domain/listener';
import type { Listener as WireListener } from '../gen/tcpviewer/v1/listener_pb';
import { toEndpoint, toProcess } from './convert';

export function toListener(message: WireListener): Listener {
  return {
    socketCookie: String(message.socketCookie),
    networkNamespace: message.networkNamespace?.toString(),
    address: toEndpoint(message.address),
    dualStack: message.dualStack,
    acceptQueue: message.acceptQueue,
    acceptQueueLimit: message.acceptQueueLimit,
    synQueue: message.synQueue,
    drops: message.drops,
    userId: message.userId,
    process: toProcess(message.process),
  };
}
