// An endpoint as address:port. Where there is no room the address is cut, never the port.
import { memo, type ReactElement } from 'react';
import { formatEndpoint, formatHost } from '../domain/format';
import styles from './endpoint-text.module.css';

interface EndpointTextProps {
  readonly address: string;
  readonly port: number;
}

export const EndpointText = memo(function EndpointText({ address, port }: EndpointTextProps): ReactElement {
  return (
    <span className={styles.endpoint} title={formatEndpoint({ address, port })}>
      <span className={styles.address}>{formatHost(address)}</span>
      <span className={styles.port}>:{port}</span>
    </span>
  );
});
