/** The page's long-lived objects, outside React's tree: the fleet of VMs and their terminals. */
import urls from 'virtual:worker-assets';
import { Fleet } from '../hypervisor/fleet.ts';
import { templates } from './ahead.ts';
import { Terminals } from './terminal/terminals.ts';

export const fleet = new Fleet({ templates, assets: urls });
export const terminals = new Terminals(fleet);
