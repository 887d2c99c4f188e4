import type { Settings } from '../../config/settings.ts';
import { type CannotListen, cannotListen } from '../cannot-listen.ts';
import type { ListenerName } from '../serving.ts';
import { createDealer, type Dealer } from './dealer.ts';
import type { DealtListeners } from './dealt-clients.ts';
import type { Worker } from './worker-process.ts';

/** The dealers at all listeners on which requests come. */
export interface Dealers {
  readonly kind: 'listening';
  /** As bound. */
  readonly addresses: DealtListeners;
  /** A worker has come: who waited for one is dealt out. */
  deal(): void;
  /** Accepts no more. */
  close(): void;
}

export type DealersStart = Dealers | CannotListen;

/** Listens wherever the config says that requests come. */
export async function openDealers(
  { listen, verify }: Pick<Settings, 'listen' | 'verify'>,
  serving: () => readonly Worker[],
): Promise<DealersStart> {
  const all = new Map<ListenerName, Dealer>();
  const close = () => {
    for (const dealer of all.values()) dealer.close();
  };
  const wanted = [['listen', listen] as const, ...(verify === undefined ? [] : [['verify', verify.address] as const])];
  for (const [setting, address] of wanted) {
    try {
      all.set(setting, await createDealer(setting, address, serving));
    } catch (error) {
      close();
      return cannotListen(setting, address, error);
    }
  }
  return {
    kind: 'listening',
    addresses: { listen: all.get('listen')?.address ?? listen, verify: all.get('verify')?.address },
    deal() {
      for (const dealer of all.values()) dealer.deal();
    },
    close,
  };
}
