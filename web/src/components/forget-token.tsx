// Takes the token out of this tab, and with it all that it has brought.
import type { ReactElement } from 'react';
import { useChanges } from '../store/notifier';
import { useStores } from '../store/stores';
import { Button } from './button';

export function ForgetToken(): ReactElement | null {
  const { token } = useStores();
  useChanges(token);
  if (token.current() === undefined) {
    return null;
  }
  return (
    <Button
      title="Take the token out of this tab, or give another one"
      onClick={() => {
        token.forget();
        window.location.reload();
      }}
    >
      Forget token
    </Button>
  );
}
