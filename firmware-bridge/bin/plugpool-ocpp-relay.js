#!/usr/bin/env node
/** The program that stands between charging piles and their CSMS. */
import { launch } from './launch.js';

// It holds little for long; with these it stays as small as it is.
launch('plugpool-ocpp-relay', 'ocpp/relay/main', ['--max-semi-space-size=2', '--max-old-space-size=256']);
