#!/usr/bin/env node
/** The daemon of a charging pile. */
import { launch } from './launch.js';

launch('plugpool-agent', 'main', ['--max-semi-space-size=4']);
