/** The folder that a VM shares: what the guest left there, to download, and what is dropped for it. */
import { type DragEvent, useEffect, useState } from 'react';
import { Button } from 'react-aria-components/Button';
import type { Vm } from '../../hypervisor/vm.ts';
import type { SharedFile } from '../../storage/ninep/files.ts';
import { formatBytes, formatWhen } from '../format.ts';
import { IconButton, Notice } from '../parts/controls.tsx';
import { useVm } from '../parts/hooks.ts';
import { Icon } from '../parts/icon.tsx';
import { fleet } from '../services.ts';
import type { VmViewProps } from '../view-list.ts';
import { chooseFiles } from './save-file.ts';
import { downloadAll, downloadFile, putFiles, removeShared, shareFolder } from './shared-files.ts';
import './storage.css';

export default function FilesView({ id }: VmViewProps) {
  const view = useVm(id);
  const vm = fleet.get(id);
  if (view === undefined || vm === undefined) return null;
  return <Files vm={vm} />;
}

function Files({ vm }: { vm: Vm }) {
  const [path, setPath] = useState('');
  const [over, setOver] = useState(false);
  const [folder, setFolder] = useState(vm.shared);
  const { files, failure } = useListing(folder, path);
  const [refused, setRefused] = useState<string>();
  const put = (chosen: readonly File[]) => void putFiles(vm, path, chosen);
  const choose = (writable: boolean) =>
    void shareFolder(vm, writable).then(
      () => {
        setPath('');
        setFolder(vm.shared);
      },
      (error: unknown) => setRefused(error instanceof Error ? error.message : String(error)),
    );
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    put([...event.dataTransfer.files]);
  };
  return (
    <section
      className="storage-view"
      aria-label="Shared files"
      onDragOver={(event) => {
        if (!event.dataTransfer.types.includes('Files')) return;
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={(event) => {
        if (event.currentTarget === event.target) setOver(false);
      }}
      onDrop={drop}
    >
      <div className="view-head">
        <Path path={path} onOpen={setPath} />
        <Button
          className="button"
          isDisabled={folder.readOnly}
          onPress={() => void chooseFiles('', true).then(put)}
        >
          <Icon name="upload" /> Add files…
        </Button>
        <Button
          className="button"
          isDisabled={files === undefined || files.length === 0}
          onPress={() => void downloadAll(vm, path)}
        >
          <Icon name="download" /> Download all
        </Button>
      </div>
      {refused !== undefined && <Notice tone="warning">{refused}</Notice>}
      {failure !== undefined && <Notice tone="error">{failure}</Notice>}
      {files !== undefined && files.length > 0 && (
        <div className="view-section">
          <FileTable vm={vm} files={files} onOpen={setPath} readOnly={folder.readOnly} />
        </div>
      )}
      {files !== undefined && files.length === 0 && (
        <div className="empty">
          <Icon name="folder" size={28} />
          <p>
            {path === '' ? 'The shared folder is empty.' : 'This folder is empty.'}
            <br />
            Drop files here, and the guest finds them in /mnt/shared; what it leaves there can be
            downloaded.
          </p>
        </div>
      )}
      <footer className="view-section">
        <p className="hint">
          {folder.source === 'memory'
            ? 'The files are in this browser’s memory, at most 512 MB, and end with the tab; snapshots hold them.'
            : `The folder “${folder.source}” of this computer${folder.readOnly ? ', only to read' : ', which the guest may change'}. The guest has it from its next start on.`}
        </p>
        <p className="details-actions">
          <Button className="button small" onPress={() => choose(false)}>
            <Icon name="folder" size={14} /> Share a folder of this computer, only to read…
          </Button>
          <Button className="button small" onPress={() => choose(true)}>
            <Icon name="edit" size={14} /> … and let the guest change it
          </Button>
        </p>
      </footer>
      {over && (
        <div className="drop-here" aria-hidden="true">
          <p>Drop them into /mnt/shared{path === '' ? '' : `/${path}`}</p>
        </div>
      )}
    </section>
  );
}

function Path({ path, onOpen }: { path: string; onOpen: (path: string) => void }) {
  const parts = path === '' ? [] : path.split('/');
  return (
    <nav className="path" aria-label="Folder">
      <Button className="link-button" onPress={() => onOpen('')}>
        /mnt/shared
      </Button>
      {parts.map((part, index) => (
        <span key={parts.slice(0, index + 1).join('/')}>
          /{' '}
          <Button
            className="link-button"
            onPress={() => onOpen(parts.slice(0, index + 1).join('/'))}
          >
            {part}
          </Button>
        </span>
      ))}
    </nav>
  );
}

function FileTable(props: {
  vm: Vm;
  files: readonly SharedFile[];
  readOnly: boolean;
  onOpen: (path: string) => void;
}) {
  return (
    <table className="rows">
      <thead>
        <tr>
          <th scope="col">Name</th>
          <th scope="col" className="number">
            Size
          </th>
          <th scope="col" className="number wide-only">
            Changed
          </th>
          <th scope="col">
            <span className="sr-only">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {props.files.map((file) => (
          <tr key={file.path}>
            <td className="grow">
              <span className="with-icon">
                <Icon name={file.kind === 'folder' ? 'folder' : 'file'} />
                {file.kind === 'folder' ? (
                  <Button className="link-button" onPress={() => props.onOpen(file.path)}>
                    <span className="ellipsis">{file.name}</span>
                  </Button>
                ) : (
                  <span className="ellipsis" title={file.name}>
                    {file.name}
                    {file.kind === 'link' && <span className="muted"> (a link)</span>}
                  </span>
                )}
              </span>
            </td>
            <td className="number">{file.kind === 'file' ? formatBytes(file.size) : ''}</td>
            <td className="number wide-only muted">{formatWhen(file.modified)}</td>
            <td className="actions">
              {file.kind === 'file' && (
                <IconButton
                  icon="download"
                  label={`Download ${file.name}`}
                  onPress={() => void downloadFile(props.vm, file)}
                />
              )}
              <IconButton
                icon="trash"
                label={`Delete ${file.name}`}
                danger
                isDisabled={props.readOnly}
                onPress={() => void removeShared(props.vm, file)}
              />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** What is in a folder, again whenever something in it changes. */
function useListing(folder: Vm['shared'], path: string) {
  const [files, setFiles] = useState<readonly SharedFile[]>();
  const [failure, setFailure] = useState<string>();
  useEffect(() => {
    let gone = false;
    const look = () =>
      folder.list(path).then(
        (list) => {
          if (gone) return;
          setFailure(undefined);
          setFiles(
            list.toSorted((a, b) => Number(b.kind === 'folder') - Number(a.kind === 'folder')),
          );
        },
        (error: unknown) => {
          if (!gone) setFailure(error instanceof Error ? error.message : String(error));
        },
      );
    void look();
    const end = folder.onChange(() => void look());
    return () => {
      gone = true;
      end();
    };
  }, [folder, path]);
  return { files, failure };
}
