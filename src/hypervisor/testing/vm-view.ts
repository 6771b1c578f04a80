/** A VM's view and figures for tests: a machine that is off, and changes to it. */
import type { Figures } from '../../worker/protocol.ts';
import { FIGURES } from '../../worker/testing/figures.ts';
import type { VmView } from '../vm.ts';

export function vmView(change: Partial<VmView> = {}): VmView {
  return {
    id: '1',
    name: 'web',
    template: { name: 'micro', title: 'Micro', description: '', manifest: 'micro/manifest.json' },
    memory: undefined,
    status: 'off',
    reason: undefined,
    download: undefined,
    bootStage: 'kernel',
    startedAt: undefined,
    pausedAt: undefined,
    bootSeconds: undefined,
    figures: undefined,
    history: [],
    busy: false,
    silent: false,
    isolation: undefined,
    title: '',
    keptId: undefined,
    current: undefined,
    backups: undefined,
    saving: false,
    limits: {},
    tags: [],
    recovery: undefined,
    ...change,
  };
}

export function figuresOf(change: Partial<Figures> = {}): Figures {
  return { ...FIGURES, busy: 0, ...change };
}
