// The time by which ages are told: the daemon's, or that of the capture it plays. It changes once per second, and when
// the daemon tells its own.
import { useChanges } from '../store/notifier';
import { useStores } from '../store/stores';

export function useDaemonNow(): number {
  const { link, clock, status } = useStores();
  useChanges(clock);
  useChanges(link);
  return status.ageAtMs(link.daemonNowMs(clock.nowMs));
}
