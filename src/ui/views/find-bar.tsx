/** Searches the scrollback of the shown console. */
import { useEffect, useState } from 'react';
import { Input } from 'react-aria-components/Input';
import { SearchField } from 'react-aria-components/SearchField';
import { IconButton } from '../parts/controls.tsx';
import { terminals } from '../services.ts';
import { setUi } from '../store.ts';
import type { ConsoleTerminal } from '../terminal/console-terminal.ts';
import { CURRENT_MATCH } from '../terminal/terminal-theme.ts';

const DECORATIONS = {
  matchBackground: '#5b5bd6',
  matchOverviewRuler: '#5b5bd6',
  activeMatchBackground: CURRENT_MATCH,
  activeMatchColorOverviewRuler: CURRENT_MATCH,
};

export function FindBar({ id }: { id: string }) {
  const [text, setText] = useState('');
  const [result, setResult] = useState<string>('');
  const [terminal, setTerminal] = useState<ConsoleTerminal>();

  useEffect(() => {
    let stop = () => {};
    let gone = false;
    void terminals.get(id).then((made) => {
      if (gone) return;
      setTerminal(made);
      made.setFinding(true);
      const subscription = made.search.onDidChangeResults(({ resultIndex, resultCount }) =>
        setResult(resultCount === 0 ? 'No match' : `${resultIndex + 1} of ${resultCount}`),
      );
      stop = () => {
        subscription.dispose();
        made.search.clearDecorations();
        made.setFinding(false);
      };
    });
    return () => {
      gone = true;
      stop();
    };
  }, [id]);

  const find = (direction: 'next' | 'previous', term = text) => {
    const options = { decorations: DECORATIONS };
    if (term === '') terminal?.search.clearDecorations();
    else if (direction === 'next') terminal?.search.findNext(term, options);
    else terminal?.search.findPrevious(term, options);
  };
  const close = () => {
    setUi({ finding: false });
    terminal?.focus();
  };

  return (
    <search className="find">
      <SearchField
        aria-label="Find in console"
        autoFocus
        value={text}
        onChange={(value) => {
          setText(value);
          find('previous', value);
        }}
        onSubmit={() => find('previous')}
        onKeyDown={(event) => {
          if (event.key === 'Escape') close();
        }}
      >
        <Input className="input" placeholder="Find in console" />
      </SearchField>
      <span className="find-result" role="status">
        {text === '' ? '' : result}
      </span>
      <IconButton icon="up" label="Previous match" onPress={() => find('previous')} />
      <IconButton icon="down" label="Next match" onPress={() => find('next')} />
      <IconButton icon="close" label="Close search" onPress={close} />
    </search>
  );
}
