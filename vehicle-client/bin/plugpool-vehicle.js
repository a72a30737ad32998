#!/usr/bin/env node
/** The program of a vehicle. */
import { launch } from './launch.js';

// Only lending goes on for days; the other commands are over at once.
launch('plugpool-vehicle', 'cli/main', process.argv[2] === 'donate' ? ['--max-semi-space-size=2'] : []);
