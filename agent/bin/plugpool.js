#!/usr/bin/env node
/** The operator's commands. */
import { launch } from './launch.js';

launch('plugpool', 'cli/main');
