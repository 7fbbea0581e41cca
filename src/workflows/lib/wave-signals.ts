/** What the runs of a swap in waves say to each other; domain/wave-messages.ts reads it. */
import { defineSignal } from '@temporalio/workflow';
import type { WaveVerdict, WaveWell } from '../../domain/wave-messages.js';

export const wellSignal = defineSignal<[WaveWell]>('waveWell');
export const verdictSignal = defineSignal<[WaveVerdict]>('waveVerdict');

export type Word = Pick<WaveVerdict, 'goOn' | 'why'>;
