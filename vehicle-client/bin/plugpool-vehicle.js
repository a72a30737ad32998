#!/usr/bin/env node
/** The program of a vehicle. */
import { launch } from './launch.js';

launch('plugpool-vehicle', 'cli/main');
