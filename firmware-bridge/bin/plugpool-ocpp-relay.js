#!/usr/bin/env node
/** The program that stands between charging piles and their CSMS. */
import { launch } from './launch.js';

// Left alone V8 takes more after a busy minute. What limits.ts allows to be in memory is well below the second bound.
launch('plugpool-ocpp-relay', 'ocpp/relay/main', ['--max-semi-space-size=4', '--max-old-space-size=512']);
