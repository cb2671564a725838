// The time by which ages are told, once per second: the daemon's, or that of the capture it plays.
import { useChanges } from '../store/notifier';
import { useStores } from '../store/stores';

export function useDaemonNow(): number {
  const { link, clock, status } = useStores();
  useChanges(clock);
  return status.ageAtMs(link.daemonNowMs(clock.nowMs));
}
