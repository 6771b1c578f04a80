/** The worker's entry with the fake machine: what `TABVISOR_MACHINE=fake` bundles instead. */
import { serveVm } from '../vm-server.ts';
import { createFakeMachine } from './fake-machine.ts';

serveVm(createFakeMachine);
