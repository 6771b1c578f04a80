/**
 * The views of a VM beside its console, and the views of the page, once: tabs, the palette and the
 * address (`#/vm/ID/snapshots`, `#/storage`) are made from these lists. Each view is a script of its
 * own, fetched when it is first shown.
 */
import { type ComponentType, type LazyExoticComponent, lazy } from 'react';
import type { IconName } from './parts/icon.tsx';

interface View<Props> {
  /** Its part of the address. */
  readonly path: string;
  readonly title: string;
  readonly icon: IconName;
  readonly Component: LazyExoticComponent<ComponentType<Props>>;
}

/** What a view of a VM is given. */
export interface VmViewProps {
  readonly id: string;
}

export const VM_VIEWS: readonly View<VmViewProps>[] = [
  {
    path: 'snapshots',
    title: 'Snapshots',
    icon: 'branch',
    Component: lazy(() => import('./storage/snapshots-view.tsx')),
  },
  {
    path: 'disks',
    title: 'Disks',
    icon: 'disk',
    Component: lazy(() => import('./storage/disks-view.tsx')),
  },
  {
    path: 'files',
    title: 'Files',
    icon: 'folder',
    Component: lazy(() => import('./storage/files-view.tsx')),
  },
  {
    path: 'resources',
    title: 'Resources',
    icon: 'sliders',
    Component: lazy(() => import('./views/vm-resources.tsx')),
  },
  {
    path: 'monitor',
    title: 'Monitor',
    icon: 'chart',
    Component: lazy(() => import('./views/vm-monitor.tsx')),
  },
  {
    path: 'log',
    title: 'Log',
    icon: 'list',
    Component: lazy(() => import('./views/vm-log.tsx')),
  },
];

export const PAGE_VIEWS: readonly View<object>[] = [
  {
    path: 'storage',
    title: 'Storage',
    icon: 'disk',
    Component: lazy(() => import('./storage/storage-page.tsx')),
  },
  {
    path: 'host',
    title: 'Host',
    icon: 'host',
    Component: lazy(() => import('./views/host-page.tsx')),
  },
  {
    path: 'events',
    title: 'Events',
    icon: 'list',
    Component: lazy(() => import('./views/events-page.tsx')),
  },
];
