/** The bar at the top: what this is, the commands of the page, and New VM. */
import { Button } from 'react-aria-components/Button';
import { Menu, MenuItem, MenuTrigger } from 'react-aria-components/Menu';
import { Popover } from 'react-aria-components/Popover';
import { commandById } from '../commands.ts';
import { openPage, showList, usePlace } from '../navigation.ts';
import { IconButton, Keys } from '../parts/controls.tsx';
import { Icon } from '../parts/icon.tsx';
import { setTheme, type Theme, useUi } from '../store.ts';
import { PAGE_VIEWS } from '../view-list.ts';

const THEMES = [
  { theme: 'system', title: 'As the system', icon: 'contrast' },
  { theme: 'light', title: 'Light', icon: 'sun' },
  { theme: 'dark', title: 'Dark', icon: 'moon' },
] as const;

export function TopBar() {
  const ready = useUi((state) => state.catalogue.kind === 'ready');
  const palette = commandById('palette');
  const shortcuts = commandById('shortcuts');
  return (
    <header className="top-bar">
      <a className="brand" href="#/" aria-label="Tabvisor, list of machines">
        <Logo />
        <span>Tabvisor</span>
      </a>
      {PAGE_VIEWS.length > 0 && <PageNav />}
      <span className="spacer" />
      <Button
        className="palette-button"
        aria-label={palette.title}
        onPress={() => palette.run(undefined)}
      >
        <Icon name="search" />
        <span>Commands</span>
        <Keys shortcut={palette.shortcut ?? ''} />
      </Button>
      <ThemeMenu />
      <IconButton
        icon="keyboard"
        label={shortcuts.title}
        shortcut={shortcuts.shortcut}
        onPress={() => shortcuts.run(undefined)}
      />
      <Button
        className="button primary new-vm"
        data-leads-to-console
        isDisabled={!ready}
        onPress={() => commandById('new').run(undefined)}
      >
        <Icon name="plus" /> New VM
      </Button>
    </header>
  );
}

/** Links where there is room for them, otherwise a menu. */
function PageNav() {
  const { vm, view } = usePlace();
  const shown = vm === undefined ? PAGE_VIEWS.find(({ path }) => path === view)?.path : undefined;
  const current = (path: string | undefined) => (path === shown ? 'page' : undefined);
  return (
    <>
      <nav className="page-nav" aria-label="Views">
        <a href="#/" aria-current={current(undefined)}>
          Machines
        </a>
        {PAGE_VIEWS.map(({ path, title }) => (
          <a key={path} href={`#/${path}`} aria-current={current(path)}>
            {title}
          </a>
        ))}
      </nav>
      <MenuTrigger>
        <Button className="icon-button page-menu" aria-label="Views">
          <Icon name="menu" />
        </Button>
        <Popover className="popover" placement="bottom start" offset={4}>
          <Menu
            className="menu"
            aria-label="Views"
            onAction={(key) => (key === '' ? showList() : openPage(String(key)))}
          >
            <MenuItem id="" textValue="Machines" className="menu-item">
              <Icon name="list" />
              <span>Machines</span>
            </MenuItem>
            {PAGE_VIEWS.map(({ path, title, icon }) => (
              <MenuItem key={path} id={path} textValue={title} className="menu-item">
                <Icon name={icon} />
                <span>{title}</span>
              </MenuItem>
            ))}
          </Menu>
        </Popover>
      </MenuTrigger>
    </>
  );
}

function ThemeMenu() {
  const theme = useUi((state) => state.theme);
  const icon = THEMES.find((entry) => entry.theme === theme)?.icon ?? 'contrast';
  return (
    <MenuTrigger>
      <Button className="icon-button" aria-label="Theme">
        <Icon name={icon} />
      </Button>
      <Popover className="popover" placement="bottom end" offset={4}>
        <Menu
          className="menu"
          aria-label="Theme"
          selectionMode="single"
          disallowEmptySelection
          selectedKeys={[theme]}
          onSelectionChange={(keys) => {
            const [chosen] = keys as Iterable<unknown> as Set<Theme>;
            if (chosen !== undefined) setTheme(chosen);
          }}
        >
          {THEMES.map((entry) => (
            <MenuItem
              key={entry.theme}
              id={entry.theme}
              textValue={entry.title}
              className="menu-item"
            >
              <Icon name={entry.icon} />
              <span>{entry.title}</span>
              {entry.theme === theme && <Icon name="check" />}
            </MenuItem>
          ))}
        </Menu>
      </Popover>
    </MenuTrigger>
  );
}

function Logo() {
  return (
    <svg width="24" height="24" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" fill="#5b5bd6" />
      <path
        d="M8 10.5h16M16 10.5V23"
        stroke="#fff"
        strokeWidth="3.2"
        strokeLinecap="round"
        fill="none"
      />
      <circle cx="23.2" cy="21.8" r="2.4" fill="#7ef0b2" />
    </svg>
  );
}
