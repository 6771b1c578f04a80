/**
 * Keys that touch keyboards lack. They are plain buttons that never take the focus, so that the
 * keyboard on the screen stays; Ctrl holds for one letter.
 */
import { type PointerEvent, useEffect, useState } from 'react';
import { fleet, terminals } from '../services.ts';
import { setUi } from '../store.ts';

/** What each key sends in the terminal's normal mode (ECMA-48 and xterm's sequences). */
const KEYS = [
  { label: 'Esc', name: 'Escape', sends: '\x1b' },
  { label: 'Tab', name: 'Tab', sends: '\t' },
  { label: '↑', name: 'Up', sends: '\x1b[A' },
  { label: '↓', name: 'Down', sends: '\x1b[B' },
  { label: '←', name: 'Left', sends: '\x1b[D' },
  { label: '→', name: 'Right', sends: '\x1b[C' },
] as const;

const keepFocus = (event: PointerEvent) => event.preventDefault();

export function KeyBar({ id }: { id: string }) {
  const [control, setControl] = useState(false);

  useEffect(() => {
    let undo = () => {};
    let gone = false;
    void terminals.get(id).then((terminal) => {
      if (gone) return;
      terminal.onControlUsed = () => setControl(false);
      undo = () => {
        terminal.onControlUsed = undefined;
        terminal.holdControl(false);
      };
    });
    return () => {
      gone = true;
      undo();
    };
  }, [id]);

  const toggleControl = () => {
    setControl(!control);
    void terminals.get(id).then((terminal) => terminal.holdControl(!control));
  };
  const send = (text: string) => fleet.get(id)?.input(new TextEncoder().encode(text));

  return (
    <div className="key-bar" role="toolbar" aria-label="Keys">
      <button
        type="button"
        aria-pressed={control}
        onPointerDown={keepFocus}
        onClick={toggleControl}
      >
        Ctrl
      </button>
      {KEYS.map((key) => (
        <button
          key={key.name}
          type="button"
          aria-label={key.name}
          onPointerDown={keepFocus}
          onClick={() => send(key.sends)}
        >
          {key.label}
        </button>
      ))}
      <button
        type="button"
        aria-label="Send text"
        onPointerDown={keepFocus}
        onClick={() => setUi({ dialog: { kind: 'send', vm: id } })}
      >
        Text…
      </button>
    </div>
  );
}
