// The sockets that wait for connections.
import type { ReactElement } from 'react';
import { ListenersView } from '../components/listeners-view';

export default function Listeners(): ReactElement {
  return <ListenersView />;
}
