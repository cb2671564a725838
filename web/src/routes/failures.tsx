// The connections that failed.
import type { ReactElement } from 'react';
import { FailuresView } from '../components/failures-view';
import type { FailuresPlace } from '../domain/place';

export default function Failures({ place: here }: { place: FailuresPlace }): ReactElement {
  return <FailuresView here={here} />;
}
