// An endpoint as address:port. Where a long address has no room it is cut, never the port.
import { memo, type ReactElement } from 'react';
import { formatEndpoint, formatHost } from '../domain/format';
import styles from './endpoint-text.module.css';

/** Every IPv4 endpoint is this long at most, and has room everywhere. */
const ALWAYS_FITS = '255.255.255.255:65535'.length;

interface EndpointTextProps {
  readonly address: string;
  readonly port: number;
}

export const EndpointText = memo(function EndpointText({ address, port }: EndpointTextProps): ReactElement {
  const text = formatEndpoint({ address, port });
  // Only text that may be cut is laid out in two boxes, because a copy of it has a line break.
  return (
    <span className={styles.endpoint} data-long={text.length > ALWAYS_FITS} title={text}>
      <span className={styles.address}>{formatHost(address)}</span>
      <span className={styles.port}>:{port}</span>
    </span>
  );
});
