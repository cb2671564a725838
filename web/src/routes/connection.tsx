// Everything about one connection, on a page of its own.
import type { ReactElement } from 'react';
import { ConnectionPage } from '../components/connection-page';
import { useKeys } from '../components/use-keys';
import type { ConnectionPlace } from '../domain/place';
import { useStores } from '../store/stores';

export default function Connection({ place: here }: { place: ConnectionPlace }): ReactElement {
  const { place } = useStores();
  useKeys({
    Escape: () => {
      place.go({ ...place.connections, selected: here.ref });
    },
  });
  return <ConnectionPage place={here} />;
}
