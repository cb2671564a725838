// The host's own counters.
import type { ReactElement } from 'react';
import { HostView } from '../components/host-view';

export default function Host(): ReactElement {
  return <HostView />;
}
