/** Colours of the terminals in the page's two themes; xterm raises contrast where a guest's choice lacks it. */
import type { ITheme } from '@xterm/xterm';

const DARK: ITheme = {
  background: '#0b0c0f',
  foreground: '#d9dae0',
  cursor: '#a6a4ff',
  cursorAccent: '#0b0c0f',
  selectionBackground: '#3d3f7a99',
  black: '#2a2c33',
  red: '#f2777a',
  green: '#7fd1a3',
  yellow: '#e6c07b',
  blue: '#82aaff',
  magenta: '#c792ea',
  cyan: '#7fdbca',
  white: '#d9dae0',
  brightBlack: '#767a87',
  brightRed: '#ff9a9c',
  brightGreen: '#a5e8c1',
  brightYellow: '#f5d99b',
  brightBlue: '#a8c3ff',
  brightMagenta: '#dcb3f5',
  brightCyan: '#a8ece0',
  brightWhite: '#ffffff',
};

const LIGHT: ITheme = {
  background: '#ffffff',
  foreground: '#26272c',
  cursor: '#5151cd',
  cursorAccent: '#ffffff',
  selectionBackground: '#c9c9f599',
  black: '#26272c',
  red: '#b3261e',
  green: '#17703c',
  yellow: '#855400',
  blue: '#2456c7',
  magenta: '#8431a8',
  cyan: '#0b6b74',
  white: '#6b6e78',
  brightBlack: '#5d606a',
  brightRed: '#c9362d',
  brightGreen: '#1d8048',
  brightYellow: '#966000',
  brightBlue: '#3267dd',
  brightMagenta: '#9a42c0',
  brightCyan: '#0f7c86',
  brightWhite: '#43454d',
};

/** Background of the match that a search has come to. */
export const CURRENT_MATCH = '#b45309';

/** The search selects the match it comes to, and a selection hides what else marks a cell. */
export function terminalTheme(dark: boolean, finding: boolean): ITheme {
  const theme = dark ? DARK : LIGHT;
  return finding ? { ...theme, selectionInactiveBackground: CURRENT_MATCH } : theme;
}
