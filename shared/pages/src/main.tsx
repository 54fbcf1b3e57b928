// Starts the page: clock, theme, session, live data, and the tree of views.

import '@fontsource-variable/inter/wght.css';
import 'leaflet/dist/leaflet.css';
import 'uplot/dist/uPlot.min.css';
import './styles/index.css';

import { render } from 'preact';
import { resume } from './api/session';
import { startClock } from './state/clock';
import { startTheme } from './state/preferences';
import { startSuggestion } from './state/suggestion';
import { startAddress } from './state/view';
import { startWatch } from './state/watch';
import { App } from './views/app';

startTheme();
startClock();
startAddress();
startWatch();
startSuggestion();
void resume();

const root = document.getElementById('app');
if (root !== null) render(<App />, root);
