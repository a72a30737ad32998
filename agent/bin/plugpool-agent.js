#!/usr/bin/env node
/** The daemon of a charging pile. */
import { launch } from './launch.js';

// Left alone V8 takes 150 MiB more after a busy minute. What limits.ts allows to be in memory is well below the second bound.
launch('plugpool-agent', 'main', ['--max-semi-space-size=4', '--max-old-space-size=512']);
