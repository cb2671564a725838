// Which columns the table shows, and in what order: a list with a box to tick and two buttons to move each.
import type { ReactElement } from 'react';
import { DEFAULT_COLUMNS, moveColumn, resizeColumn, toggleColumn, type ColumnName } from '../domain/column';
import { useChanges } from '../store/notifier';
import { useStores } from '../store/stores';
import { Button } from './button';
import { ALL_COLUMNS, type Column } from './columns';
import styles from './columns-menu.module.css';
import { Icon } from './icon';
import { Popover } from './popover';
import { shownWidthPx } from './sort-header';

/** A width in the list of columns changes by this. */
const WIDTH_STEP_PX = 16;

export function ColumnsMenu(): ReactElement {
  const { settings } = useStores();
  useChanges(settings);
  const { columns } = settings.settings;
  const places = new Map(columns.map(({ name }, place) => [name, place]));
  const listed = [
    ...columns.flatMap(({ name }) => ALL_COLUMNS.find((column) => column.name === name) ?? []),
    ...ALL_COLUMNS.filter(({ name }) => !places.has(name)),
  ];
  const widen = ({ name, widthPx }: Column, byPx: number): void => {
    const now = shownWidthPx(name) ?? columns.find((column) => column.name === name)?.widthPx ?? widthPx;
    settings.change({ columns: resizeColumn(columns, name, now + byPx) });
  };
  const move = (name: ColumnName, to: number): void => {
    settings.change({ columns: moveColumn(columns, name, to) });
  };
  return (
    <Popover
      title="Columns"
      testId="columns-menu"
      trigger={
        <>
          <Icon name="columns" />
          Columns
        </>
      }
    >
      <ul className={styles.list}>
        {listed.map((column) => {
          const place = places.get(column.name);
          return (
            <li key={column.name} className={styles.entry}>
              <label title={column.title}>
                <input
                  type="checkbox"
                  checked={place !== undefined}
                  onChange={() => {
                    settings.change({ columns: toggleColumn(columns, column.name) });
                  }}
                />
                {column.label}
              </label>
              {place !== undefined && (
                <span className={styles.tools}>
                  <Button
                    icon="up"
                    label={`Move ${column.label} to the left`}
                    onClick={() => {
                      move(column.name, place - 1);
                    }}
                  />
                  <Button
                    icon="down"
                    label={`Move ${column.label} to the right`}
                    onClick={() => {
                      move(column.name, place + 1);
                    }}
                  />
                  <Button
                    label={`Make ${column.label} narrower`}
                    onClick={() => {
                      widen(column, -WIDTH_STEP_PX);
                    }}
                  >
                    <span aria-hidden="true">−</span>
                  </Button>
                  <Button
                    label={`Make ${column.label} wider`}
                    onClick={() => {
                      widen(column, WIDTH_STEP_PX);
                    }}
                  >
                    <span aria-hidden="true">+</span>
                  </Button>
                </span>
              )}
            </li>
          );
        })}
      </ul>
      <Button
        onClick={() => {
          settings.change({ columns: DEFAULT_COLUMNS });
        }}
      >
        The usual columns
      </Button>
    </Popover>
  );
}
