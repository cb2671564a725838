// A button that opens a small panel below itself. Escape, a click elsewhere or leaving it by
// keyboard closes it; Escape gives the focus back to the button.
import {
  useEffect,
  useId,
  useRef,
  useState,
  type FocusEvent,
  type KeyboardEvent,
  type ReactElement,
  type ReactNode,
} from 'react';
import styles from './popover.module.css';

interface PopoverProps {
  /** What the button shows. */
  readonly trigger: ReactNode;
  /** What the button is called, in place of its text. */
  readonly label?: string;
  readonly title: string;
  readonly tone?: 'plain' | 'warn' | 'bad';
  readonly testId?: string;
  readonly children: ReactNode;
}

export function Popover({
  trigger,
  label,
  title,
  tone = 'plain',
  testId,
  children,
}: PopoverProps): ReactElement {
  const [open, setOpen] = useState(false);
  const area = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const id = useId();

  useEffect(() => {
    if (!open) {
      return;
    }
    const closeOutside = (event: PointerEvent): void => {
      if (event.target instanceof Node && area.current?.contains(event.target) !== true) {
        setOpen(false);
      }
    };
    document.addEventListener('pointerdown', closeOutside);
    return () => {
      document.removeEventListener('pointerdown', closeOutside);
    };
  }, [open]);

  const closeOnEscape = (event: KeyboardEvent): void => {
    if (open && event.key === 'Escape') {
      event.preventDefault();
      event.nativeEvent.stopPropagation();
      setOpen(false);
      button.current?.focus();
    }
  };
  const closeOnLeave = (event: FocusEvent): void => {
    if (event.relatedTarget instanceof Node && !event.currentTarget.contains(event.relatedTarget)) {
      setOpen(false);
    }
  };

  return (
    <div className={styles.area} ref={area} onKeyDown={closeOnEscape} onBlur={closeOnLeave}>
      <button
        ref={button}
        type="button"
        className={styles.trigger}
        data-tone={tone}
        data-testid={testId}
        aria-label={label}
        aria-expanded={open}
        aria-controls={open ? id : undefined}
        onClick={() => {
          setOpen(!open);
        }}
      >
        {trigger}
      </button>
      {open && (
        <section className={styles.panel} id={id} aria-label={title}>
          <h2 className={styles.title}>{title}</h2>
          {children}
        </section>
      )}
    </div>
  );
}
