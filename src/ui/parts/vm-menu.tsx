/** The menu of one VM, made from the list of commands. */
import { memo } from 'react';
import { Button } from 'react-aria-components/Button';
import { Menu, MenuSection, MenuTrigger } from 'react-aria-components/Menu';
import { Popover } from 'react-aria-components/Popover';
import { COMMANDS, type Command, commandById } from '../commands.ts';
import { CommandItem } from './command-item.tsx';
import { useVm } from './hooks.ts';
import { Icon } from './icon.tsx';

interface MenuOf {
  id: string;
  name: string;
  groups: readonly Command['group'][];
}

/** Rendered again only for another VM or name: figures change every second. */
export const VmMenu = memo(function VmMenu({ id, name, groups }: MenuOf) {
  return (
    <MenuTrigger>
      <Button className="icon-button" aria-label={`Actions for ${name}`}>
        <Icon name="more" />
      </Button>
      <Popover className="popover" placement="bottom end" offset={4}>
        <OpenMenu id={id} groups={groups} />
      </Popover>
    </MenuTrigger>
  );
});

function OpenMenu({ id, groups }: Pick<MenuOf, 'id' | 'groups'>) {
  const vm = useVm(id);
  const sections = groups
    .map((group) => ({
      group,
      commands: COMMANDS.filter((command) => command.group === group && command.available(vm)),
    }))
    .filter(({ commands }) => commands.length > 0);
  return (
    <Menu className="menu" onAction={(key) => commandById(String(key)).run(vm)}>
      {sections.map(({ group, commands }) => (
        <MenuSection key={group} className="menu-section" aria-label={group}>
          {commands.map((command) => (
            <CommandItem key={command.id} command={command} />
          ))}
        </MenuSection>
      ))}
    </Menu>
  );
}
