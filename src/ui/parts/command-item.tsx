/** A command as an item of a menu. */
import type { ReactNode } from 'react';
import { MenuItem } from 'react-aria-components/Menu';
import type { Command } from '../commands.ts';
import { Keys } from './controls.tsx';
import { Icon } from './icon.tsx';

/** `of`: what the command is about, behind its title. */
export function CommandItem({ command, of }: { command: Command; of?: ReactNode }) {
  return (
    <MenuItem
      id={command.id}
      textValue={command.title}
      className={`menu-item${command.danger ? ' danger' : ''}`}
    >
      <Icon name={command.icon} />
      <span>
        {command.title}
        {of}
      </span>
      {command.shortcut !== undefined && <Keys shortcut={command.shortcut} />}
    </MenuItem>
  );
}
