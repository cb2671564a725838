// A small table of numbers in the details: named rows, a column for each direction.
import type { ReactElement, ReactNode } from 'react';
import styles from './number-table.module.css';

export interface NumberLine {
  readonly name: string;
  readonly title?: string;
  readonly values: readonly ReactNode[];
}

interface NumberTableProps {
  readonly heading: string;
  readonly columns: readonly string[];
  readonly lines: readonly NumberLine[];
}

export function NumberTable({ heading, columns, lines }: NumberTableProps): ReactElement {
  return (
    <table className={styles.table}>
      <thead>
        <tr>
          <th scope="col" className={styles.heading}>
            {heading}
          </th>
          {columns.map((column) => (
            <th key={column} scope="col">
              {column}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {lines.map(({ name, title, values }) => (
          <tr key={name} title={title}>
            <th scope="row">{name}</th>
            {values.map((value, index) => (
              <td key={columns[index]}>{value}</td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
