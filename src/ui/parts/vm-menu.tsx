/** The menu of one VM, made from the list of commands. */
import { Button } from 'react-aria-components/Button';
import { Menu, MenuItem, MenuSection, MenuTrigger } from 'react-aria-components/Menu';
import { Popover } from 'react-aria-components/Popover';
import type { VmView } from '../../hypervisor/vm.ts';
import { COMMANDS, type Command, commandById } from '../commands.ts';
import { Keys } from './controls.tsx';
import { Icon } from './icon.tsx';

export function VmMenu({ vm, groups }: { vm: VmView; groups: readonly Command['group'][] }) {
  const sections = groups
    .map((group) => ({
      group,
      commands: COMMANDS.filter((command) => command.group === group && command.available(vm)),
    }))
    .filter(({ commands }) => commands.length > 0);
  return (
    <MenuTrigger>
      <Button className="icon-button" aria-label={`Actions for ${vm.name}`}>
        <Icon name="more" />
      </Button>
      <Popover className="popover" placement="bottom end" offset={4}>
        <Menu className="menu" onAction={(key) => commandById(String(key)).run(vm)}>
          {sections.map(({ group, commands }) => (
            <MenuSection key={group} className="menu-section" aria-label={group}>
              {commands.map((command) => (
                <MenuItem
                  key={command.id}
                  id={command.id}
                  textValue={command.title}
                  className={`menu-item${command.danger ? ' danger' : ''}`}
                >
                  <Icon name={command.icon} />
                  <span>{command.title}</span>
                  {command.shortcut !== undefined && <Keys shortcut={command.shortcut} />}
                </MenuItem>
              ))}
            </MenuSection>
          ))}
        </Menu>
      </Popover>
    </MenuTrigger>
  );
}
